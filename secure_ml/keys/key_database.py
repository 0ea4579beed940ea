"""The key store's database: its tables, and how it is opened, read and written. See docs/formats/key-store.md.

Belongs here: rows. Must stay out: keys in clear, key services, the log.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from secure_ml.keys.errors import KeyServiceError
from secure_ml.state.engine import build_engine, parse_database_url, prepare_sqlite_file
from secure_ml.state.errors import StateError, state_error

_FORMAT = "secure_ml key store 2"
_STORE_ID_BYTES = 16
# PostgreSQL freezes a serialisable snapshot at the first query, and LOCK TABLE is none: who waited here reads fresh.
_QUEUE_WRITERS = "LOCK TABLE key_store IN EXCLUSIVE MODE"

_metadata = MetaData()
_format = Table("key_store_format", _metadata, Column("format", Text, primary_key=True))

key_store = Table(
    "key_store",
    _metadata,
    Column("row_id", Integer, CheckConstraint("row_id = 1"), primary_key=True, autoincrement=False),
    Column("store_id", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

environment_keys = Table(
    "environment_keys",
    _metadata,
    Column("environment", Text, primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("fingerprint", Text, nullable=False),
    Column("root_key_id", Text, nullable=False),
    Column("wrapped", LargeBinary),
)

older_roots = Table(
    "older_roots",
    _metadata,
    Column("environment", Text, primary_key=True),
    Column("root_key_id", Text, primary_key=True),
)

# A destroyed key keeps its row without the wrapped bytes: its id is never given a second key.
wrapped_keys = Table(
    "wrapped_keys",
    _metadata,
    Column("key_id", Text, primary_key=True),
    Column("version_id", Text, nullable=False, index=True),
    Column("environment", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("wrapped", LargeBinary),
)


class KeyDatabase:
    """A database that is a key store of this format. Safe to share between threads; each process opens its own."""

    def __init__(self, *, place: str, writer: Engine, reader: Engine) -> None:
        self.place = place
        self._writer, self._reader = writer, reader

    @classmethod
    def connect(cls, url: str) -> "KeyDatabase":
        """Open the database, making a new key store where it is empty.

        Raises:
            KeyServiceError: It cannot be used, or is not a key store of this format.
        """
        try:
            parsed = parse_database_url(url)
            place = parsed.render_as_string(hide_password=True)
            prepare_sqlite_file(parsed)
            reader, maker = build_engine(parsed, writes=False), build_engine(parsed, writes=True)
            if parsed.get_backend_name() == "postgresql":
                maker = maker.execution_options(isolation_level="READ COMMITTED")
            cls(place=place, writer=maker, reader=reader)._require_format()
            writer = build_engine(parsed, writes=True, on_begin=_QUEUE_WRITERS)
        except StateError as error:
            raise KeyServiceError(f"key store: {error}") from None
        return cls(place=place, writer=writer, reader=reader)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One durable write transaction; writers queue, so what it reads stays true until it commits.

        Raises:
            KeyServiceError: The database fails, or a key would be made a second time; nothing is kept.
        """
        try:
            with self._writer.begin() as connection:
                yield connection
        except IntegrityError:
            raise KeyServiceError(f"{self.place}: one of these keys exists, or existed; a key is made once") from None
        except SQLAlchemyError as error:
            raise KeyServiceError(f"key store: {state_error(error, place=self.place)}") from None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One read-only transaction over a fixed snapshot.

        Raises:
            KeyServiceError: The database fails.
        """
        try:
            with self._reader.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise KeyServiceError(f"key store: {state_error(error, place=self.place)}") from None

    def _require_format(self) -> None:
        # Only a new store is written to: a read-only copy can be opened.
        with self.reading() as connection:
            made = inspect(connection).has_table(_format.name)
        if not made:
            self._make()
        with self.reading() as connection:
            found = connection.scalars(select(_format.c.format)).all()
        if found != [_FORMAT]:
            named = found[0] if len(found) == 1 else "no single format"
            raise KeyServiceError(
                f"{self.place} is of the format {named!r}, and this program reads {_FORMAT!r}; use the secure_ml that "
                "wrote it, or begin a new installation"
            )

    def _make(self) -> None:
        with self.writing() as connection:
            # PostgreSQL's DDL waits for no one: without the lock two first starts would both create the tables. Who
            # waited for it must see what the other made, which a serialisable snapshot would not show.
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7521094360122)")
            _metadata.create_all(connection)
            if not connection.scalars(select(_format.c.format)).all():
                connection.execute(insert(_format).values(format=_FORMAT))
                store_id = secrets.token_hex(_STORE_ID_BYTES)
                connection.execute(insert(key_store).values(row_id=1, store_id=store_id, generation=0))
