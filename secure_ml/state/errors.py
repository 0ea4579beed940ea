"""What can go wrong with a database, in words that say what to do.

Belongs here: the typed errors and the translation of the driver's. Must stay out: statements, parameters and
values, which the driver's own text may carry.
"""

import sqlite3

from sqlalchemy.exc import IntegrityError, NoSuchModuleError, SQLAlchemyError

_SQLITE_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full; free space and run again, nothing was committed",
    sqlite3.SQLITE_READONLY: "it is read-only; give this user write permission to the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and that this user may write to it",
    sqlite3.SQLITE_PERM: "this user lacks permission; check the owner and mode of the file",
    sqlite3.SQLITE_BUSY: "another process held it for too long; wait for that process to end and run again",
    sqlite3.SQLITE_LOCKED: "another connection holds a lock on it; wait and run again",
    sqlite3.SQLITE_NOTADB: "the file is not a database; restore it from a backup",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore it from a backup",
    sqlite3.SQLITE_IOERR: "the disk reported an error; check the disk, then verify the audit log",
}


class StateError(Exception):
    """The state cannot be read or written; nothing of the failed transaction is kept. The message says what to do."""


class StateConflict(StateError):
    """A row already there, or a row missing that another refers to, forbids the change."""


class StateSchemaError(StateError):
    """The database's schema is not one that this version of the program knows."""


def state_error(error: SQLAlchemyError, *, place: str) -> StateError:
    """Translate a driver's error; the result names the place and the remedy and carries no value of a row.

    Args:
        error: What SQLAlchemy raised.
        place: The database's URL without its password.
    """
    if isinstance(error, IntegrityError):
        return StateConflict(
            f"{place}: a constraint refuses the change; another writer was first, or a parent is missing"
        )
    if isinstance(error, NoSuchModuleError):
        return StateError(f"{place}: no driver for this kind of URL is installed; install it or change the URL")
    cause = getattr(error, "orig", None)
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int):
        advice = _SQLITE_ADVICE.get(code & 0xFF, f"SQLite refused the statement (code {code})")
        return StateError(f"{place}: {advice}")
    sqlstate = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if isinstance(sqlstate, str):
        return StateError(f"{place}: the server refused the transaction (SQLSTATE {sqlstate}); nothing was committed")
    return StateError(
        f"{place}: the database is unreachable or refuses the work ({type(error).__name__}); check its URL"
    )
