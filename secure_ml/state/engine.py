"""How a connection to a database is opened, and how a transaction on it begins.

Belongs here: durability, locking and permissions, the same for every database of the product. Must stay out: tables.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from secure_ml.state.errors import StateError, state_error

BUSY_TIMEOUT_SECONDS = 30


def parse_database_url(url: str) -> URL:
    """Parse a database URL of a supported kind: a SQLite file or PostgreSQL.

    Raises:
        StateError: The URL does not parse, is of another kind, or names a SQLite database in memory.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        # The text may hold a password: it is not repeated.
        raise StateError("the database URL does not parse; write sqlite:///path/to/file or postgresql://…") from None
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise StateError(f"a {backend} database is not supported; use sqlite:///path/to/file or postgresql://…")
    if backend == "sqlite" and (parsed.database in (None, "", ":memory:") or "uri" in parsed.query):
        raise StateError("a SQLite database in memory forgets; give a file: sqlite:///path/to/file")
    # SQLAlchemy's own choice has changed; Dagster's storage has this driver too.
    return parsed.set(drivername="postgresql+psycopg2") if parsed.drivername == "postgresql" else parsed


def prepare_sqlite_file(url: URL) -> None:
    """Create the file 0600 and its folder 0700 where they are missing, so that no other user reads them meanwhile.

    Raises:
        StateError: The folder or the file cannot be made.
    """
    if url.get_backend_name() != "sqlite" or url.database is None:
        return
    path = Path(url.database)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise StateError(f"{path}: cannot be created ({reason}); choose a folder that this user may write to") from None


def build_engine(url: URL, *, writes: bool, on_begin: str | None = None) -> Engine:
    """Build an engine whose transactions are serialised and durable.

    SQLite: `BEGIN IMMEDIATE` for a writer, synchronous EXTRA, foreign keys on, freed pages overwritten.
    PostgreSQL: SERIALIZABLE.

    Args:
        url: Where the database is.
        writes: Whether its transactions may write; otherwise the database itself refuses.
        on_begin: A statement run first in each PostgreSQL transaction (a table lock that makes writers queue).

    Raises:
        StateError: No driver is installed for the URL.
    """
    try:
        if url.get_backend_name() == "sqlite":
            engine = create_engine(
                url, hide_parameters=True, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_SECONDS}
            )
            event.listen(engine, "connect", _sqlite_settings(writes=writes))
            event.listen(engine, "begin", _begin_with("BEGIN IMMEDIATE" if writes else "BEGIN"))
            return engine
        engine = create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            isolation_level="SERIALIZABLE",
            execution_options={"postgresql_readonly": not writes},
        )
        if on_begin is not None:
            event.listen(engine, "begin", _begin_with(on_begin))
        return engine
    except ModuleNotFoundError as error:
        place = url.render_as_string(hide_password=True)
        raise StateError(f"{place}: the driver {error.name} is not installed; install it or change the URL") from None
    except SQLAlchemyError as error:
        raise state_error(error, place=url.render_as_string(hide_password=True)) from None


def _sqlite_settings(*, writes: bool) -> Callable[[sqlite3.Connection, object], None]:
    def apply(connection: sqlite3.Connection, _record: object) -> None:
        # The driver begins transactions late and by its own rules; None hands that to the "begin" listener.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        # FULL does not sync the folder once the journal is removed: a power loss could undo a reported commit.
        connection.execute("PRAGMA synchronous = EXTRA")
        if not writes:
            connection.execute("PRAGMA query_only = ON")

    return apply


def _begin_with(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin
