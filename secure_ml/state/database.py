"""The door to the state database: open it at the newest schema, write in one transaction, read.

Belongs here: opening, migrating, transactions. Must stay out: what is written in them.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from secure_ml.state.engine import build_engine, parse_database_url, prepare_sqlite_file
from secure_ml.state.errors import StateConflict, StateError, StateSchemaError, state_error
from secure_ml.state.tables import audit_entries

__all__ = ["State", "StateConflict", "StateError", "StateSchemaError"]

# PostgreSQL freezes a serialisable snapshot at the first query, and LOCK TABLE is none: who waited here reads fresh.
_QUEUE_WRITERS = "LOCK TABLE audit_tree IN EXCLUSIVE MODE"


class State:
    """The state database at the newest schema. Safe to share between threads; each process opens its own."""

    def __init__(self, *, place: str, writer: Engine, reader: Engine) -> None:
        self._place = place
        self._writer = writer
        self._reader = reader
        self._open = threading.local()

    @classmethod
    def open(cls, url: str) -> "State":
        """Open the database, creating a SQLite file (0600, folder 0700) and migrating to the newest schema as needed.

        Args:
            url: `sqlite:///path/to/file` or a PostgreSQL URL.

        Raises:
            StateError: The database cannot be reached, created or written; the message says what to do.
            StateSchemaError: A newer program wrote it, or it holds tables that are not ours.
        """
        parsed = parse_database_url(url)
        place = parsed.render_as_string(hide_password=True)
        prepare_sqlite_file(parsed)
        reader = build_engine(parsed, writes=False)
        _migrate(build_engine(parsed, writes=True), reader, place=place)
        return cls(place=place, writer=build_engine(parsed, writes=True, on_begin=_QUEUE_WRITERS), reader=reader)

    def is_begun(self) -> bool:
        """Whether the audit log in it has an entry.

        Raises:
            StateError: The database fails.
        """
        with self.reading() as connection:
            return connection.execute(select(audit_entries.c.entry_index).limit(1)).one_or_none() is not None

    @property
    def place(self) -> str:
        """The database's URL without its password."""
        return self._place

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One serialised, durable write transaction: commits at the end of the block, rolls back on any error.

        Writers queue, so what the block reads stays true until it commits.

        Raises:
            StateError: The database failed, or this thread has a transaction open already and would wait for itself.
            StateConflict: A constraint refused the change.
        """
        self.require_no_transaction()
        self._open.held = True
        try:
            with self._writer.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise state_error(error, place=self._place) from None
        finally:
            self._open.held = False

    def require_no_transaction(self) -> None:
        """Returns if this thread has no write transaction open; with one it would wait for itself.

        Raises:
            StateError: It has.
        """
        if getattr(self._open, "held", False):
            raise StateError(f"{self._place}: a transaction is open in this thread; pass its connection on instead")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One read-only transaction over a fixed snapshot. Keep it short: on SQLite it holds up commits.

        Raises:
            StateError: The database failed, or the block tried to write.
        """
        try:
            with self._reader.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise state_error(error, place=self._place) from None

    def close(self) -> None:
        """Close pooled connections."""
        self._writer.dispose()
        self._reader.dispose()


def _migrate(writer: Engine, reader: Engine, *, place: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", "secure_ml.state:migrations")
    script = ScriptDirectory.from_config(config)
    try:
        # Nothing is written where nothing is to do: a read-only copy can be opened and verified.
        if _revisions(reader) == set(script.get_heads()):
            return
        if writer.dialect.name == "postgresql":
            # DDL waits for no one: without the lock two first starts would both create the tables. Who waited for it
            # must see what the other made, which a serialisable snapshot, as old as the waiting, would not show.
            writer = writer.execution_options(isolation_level="READ COMMITTED")
        with writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7521094360121)")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError:
        raise StateSchemaError(
            f"{place}: a newer secure_ml wrote this database; use that version or restore a backup"
        ) from None
    except SQLAlchemyError as error:
        raise state_error(error, place=place) from None
    finally:
        writer.dispose()


def _revisions(engine: Engine) -> set[str]:
    from alembic.runtime.migration import MigrationContext

    with engine.begin() as connection:
        return set(MigrationContext.configure(connection).get_current_heads())
