"""The key store: wrapped keys, and the destroying of them.

Belongs here: a database of its own that lies elsewhere than data and state. Must stay out: plaintext keys at
rest, data, decisions.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Column, Connection, Engine, LargeBinary, MetaData, Table, Text, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from secure_ml.keys.context import KeyContext
from secure_ml.keys.errors import KeyDestroyed, KeyNotFound, KeyServiceError
from secure_ml.keys.service import KeyService
from secure_ml.state.engine import build_engine, parse_database_url, prepare_sqlite_file
from secure_ml.state.errors import StateError, state_error

__all__ = ["KeyContext", "KeyStore"]

_FORMAT = "secure_ml key store 1"
_KEY_BYTES = 32
_SCOPE_PREFIX = "secret/"
_QUERY_KEYS = 500
"""Keys in one query; databases bound the parameters of a statement."""

_metadata = MetaData()
_format = Table("key_store_format", _metadata, Column("format", Text, primary_key=True))
# A destroyed key keeps its row without the wrapped bytes: its id is never given a second key.
_keys = Table(
    "wrapped_keys",
    _metadata,
    Column("key_id", Text, primary_key=True),
    Column("version_id", Text, nullable=False, index=True),
    Column("wrapped", LargeBinary),
)


class KeyStore:
    """Keys for each version, bucket and category, and secrets for each scope; all wrapped by a key service.

    Safe to share between threads; each process opens its own.
    """

    def __init__(self, *, place: str, writer: Engine, reader: Engine, service: KeyService) -> None:
        self._place = place
        self._writer = writer
        self._reader = reader
        self._service = service

    @classmethod
    def connect(cls, url: str, *, service: KeyService) -> "KeyStore":
        """Open the key store's database, creating it where it is missing.

        Args:
            url: A database URL of the key store's own.
            service: Wraps what is stored.

        Raises:
            KeyServiceError: The database cannot be used, or is not a key store of this format.
        """
        try:
            parsed = parse_database_url(url)
            prepare_sqlite_file(parsed)
            writer, reader = build_engine(parsed, writes=True), build_engine(parsed, writes=False)
        except StateError as error:
            raise KeyServiceError(f"key store: {error}") from None
        store = cls(place=parsed.render_as_string(hide_password=True), writer=writer, reader=reader, service=service)
        store._require_format()
        return store

    def create(self, contexts: Sequence[KeyContext]) -> dict[KeyContext, bytes]:
        """Make a fresh 32-byte key for each context, durably, all or none.

        Raises:
            KeyServiceError: A context has a key already, or had one; or the store or the service fails.
        """
        fresh = {context: os.urandom(_KEY_BYTES) for context in contexts}
        rows = [
            {"key_id": at.key_id, "version_id": at.version_id, "wrapped": self._wrap(key, at.key_id)}
            for at, key in fresh.items()
        ]
        if rows:
            with self._transaction() as connection:
                connection.execute(insert(_keys), rows)
        return fresh

    def open(self, context: KeyContext) -> bytes:
        """Return the key of a context.

        Raises:
            KeyDestroyed: It was destroyed.
            KeyNotFound: It was never made.
            KeyRefused: The stored bytes are not the ones wrapped for this context.
            KeyServiceError: The store or the service fails.
        """
        return self.open_all((context,))[context]

    def open_all(self, contexts: Sequence[KeyContext]) -> dict[KeyContext, bytes]:
        """Return the keys of these contexts, all or none.

        Raises:
            KeyDestroyed, KeyNotFound, KeyRefused, KeyServiceError: As `open`, for the first that cannot be opened.
        """
        keys = self._unwrap([context.key_id for context in contexts])
        return {context: keys[context.key_id] for context in contexts}

    def destroy(self, version_id: str) -> int:
        """Destroy every key of a version and return how many there were; a second time, 0.

        What they protect is unreadable from then on, in every copy made of the data; not so for who kept a copy of this
        store and of its root key.

        Raises:
            KeyServiceError: The store fails; no key was destroyed.
        """
        living = _keys.c.version_id == version_id, _keys.c.wrapped.is_not(None)
        with self._transaction() as connection:
            return connection.execute(update(_keys).where(*living).values(wrapped=None)).rowcount

    def secret(self, scope: str, *, create: bool) -> bytes:
        """The 32-byte secret of a scope, such as the salt source of the audit log's commitments.

        Args:
            scope: Its name.
            create: Make it where it was never made; a destroyed one is not made again.

        Raises:
            KeyDestroyed: It was destroyed.
            KeyNotFound: It was never made and is not to be made.
            KeyServiceError: The store or the service fails.
        """
        if not scope:
            raise KeyServiceError("a secret names its scope")
        key_id = _SCOPE_PREFIX + scope
        if create:
            wrapped = self._wrap(os.urandom(_KEY_BYTES), key_id)
            with self._transaction() as connection:
                if connection.execute(select(_keys.c.key_id).where(_keys.c.key_id == key_id)).one_or_none() is None:
                    connection.execute(insert(_keys).values(key_id=key_id, version_id=key_id, wrapped=wrapped))
        return self._unwrap((key_id,))[key_id]

    def destroy_secret(self, scope: str) -> bool:
        """Destroy a scope's secret for ever and return whether there was one.

        Raises:
            KeyServiceError: The store fails; nothing was destroyed.
        """
        return self.destroy(_SCOPE_PREFIX + scope) > 0

    def _wrap(self, key: bytes, key_id: str) -> bytes:
        return self._service.wrap(key, context=key_id.encode())

    def _unwrap(self, key_ids: Sequence[str]) -> dict[str, bytes]:
        stored: dict[str, bytes | None] = {}
        with self._reading() as connection:
            for first in range(0, len(key_ids), _QUERY_KEYS):
                some = key_ids[first : first + _QUERY_KEYS]
                query = select(_keys.c.key_id, _keys.c.wrapped).where(_keys.c.key_id.in_(some))
                stored.update((row.key_id, row.wrapped) for row in connection.execute(query))
        opened = {}
        for key_id in key_ids:
            if key_id not in stored:
                raise KeyNotFound(f"there is no key {key_id}; check that this key store belongs to this data")
            wrapped = stored[key_id]
            if wrapped is None:
                raise KeyDestroyed(f"key {key_id} was destroyed; what it protected cannot be opened again")
            opened[key_id] = self._service.unwrap(wrapped, context=key_id.encode())
        return opened

    def _require_format(self) -> None:
        # Only a new store is written to: a read-only copy can be opened.
        with self._reading() as connection:
            made = inspect(connection).has_table(_format.name)
        if not made:
            with self._transaction() as connection:
                _metadata.create_all(connection)
                if not connection.scalars(select(_format.c.format)).all():
                    connection.execute(insert(_format).values(format=_FORMAT))
        with self._reading() as connection:
            found = connection.scalars(select(_format.c.format)).all()
        if found != [_FORMAT]:
            raise KeyServiceError(f"{self._place} is a key store of another version; use the secure_ml that wrote it")

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._writer.begin() as connection:
                yield connection
        except IntegrityError:
            raise KeyServiceError(f"{self._place}: one of these keys exists, or existed; a key is made once") from None
        except SQLAlchemyError as error:
            raise KeyServiceError(f"key store: {state_error(error, place=self._place)}") from None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._reader.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise KeyServiceError(f"key store: {state_error(error, place=self._place)}") from None
