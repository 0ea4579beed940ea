"""Moving an environment's keys under its newest key, while they are read, made and destroyed.

Belongs here: the rewrapping of one key after another. Must stay out: the environment's keys themselves, data, the log.

Every page is one transaction, and a key is replaced only where it still is what was rewrapped. So who is killed leaves
each key under a living one, who goes on moves the rest, several at once do each other's work, and a key that was
destroyed meanwhile stays destroyed.
"""

from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import ColumnElement, Connection, bindparam, func, select, update

from secure_ml.keys.environment_keys import EnvironmentKeys, OpenedKeys, living_keys
from secure_ml.keys.key_database import KeyDatabase, wrapped_keys

PAGE_KEYS = 1000
"""Keys that are moved in one transaction."""

_column = wrapped_keys.c
_REPLACE = (
    update(wrapped_keys)
    .where(_column.key_id == bindparam("of"), _column.wrapped == bindparam("read"))
    .values(wrapped=bindparam("rewrapped"), epoch=bindparam("under"))
)

_Page = list[tuple[str, int, bytes]]


def move_keys(
    database: KeyDatabase, environment_keys: EnvironmentKeys, environment: str, *, go_on: Callable[[], bool]
) -> int:
    """Rewrap the keys of an environment that are under an older key of it, page by page.

    Args:
        database: Holds them.
        environment_keys: Opens both keys.
        environment: The environment.
        go_on: Asked before every page but the first; False ends the call early.

    Returns:
        How many keys are left under an older key.

    Raises:
        KeyRefused: A key is not what was wrapped under its id; those before it are moved.
        KeyServiceError: The environment is not served here, or the service or the database fails.
    """
    after = ""
    while True:
        page, opened = environment_keys.at((environment,), partial(_page, environment=environment, after=after))
        if not page:
            break
        replaced = _rewrapped(page, opened, environment)
        with database.writing() as connection:
            connection.execute(_REPLACE, replaced)
        after = page[-1][0]
        if not go_on():
            break
    with database.reading() as connection:
        return keys_left(connection, environment)


def keys_left(connection: Connection, environment: str) -> int:
    """Living keys of an environment that are not under its newest key."""
    return keys_under(connection, environment, before=_newest_epoch(connection, environment))


def keys_under(connection: Connection, environment: str, *, before: int) -> int:
    """Living keys of an environment that are under one of its keys before this epoch."""
    query = select(func.count()).select_from(wrapped_keys).where(*_under(environment, before))
    return int(connection.scalar(query) or 0)


def _page(connection: Connection, *, environment: str, after: str) -> _Page:
    older = _under(environment, _newest_epoch(connection, environment))
    query = select(_column.key_id, _column.epoch, _column.wrapped).where(*older, _column.key_id > after)
    rows = connection.execute(query.order_by(_column.key_id).limit(PAGE_KEYS))
    return [(key_id, epoch, wrapped) for key_id, epoch, wrapped in rows]


def _newest_epoch(connection: Connection, environment: str) -> int:
    return max((row.epoch for row in living_keys(connection, (environment,))), default=0)


def _under(environment: str, before: int) -> Sequence[ColumnElement[bool]]:
    return _column.environment == environment, _column.epoch < before, _column.wrapped.is_not(None)


def _rewrapped(page: _Page, opened: OpenedKeys, environment: str) -> list[dict[str, object]]:
    newest = opened[max(opened)]
    return [
        {
            "of": key_id,
            "read": wrapped,
            "rewrapped": newest.seal(opened[environment, epoch].unseal(wrapped, key_id=key_id), key_id=key_id),
            "under": newest.stored.epoch,
        }
        for key_id, epoch, wrapped in page
    ]
