"""What a key store holds, in numbers and names that are no secret.

Belongs here: the figures of `secure-ml keys status`. Must stay out: key services, which may be away.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from secure_ml.keys.environment_keys import living_keys
from secure_ml.keys.key_database import key_store, older_roots, wrapped_keys
from secure_ml.keys.rotation import keys_left


@dataclass(frozen=True)
class EnvironmentState:
    """The keys of one environment, or of the installation.

    Attributes:
        environment: Its name.
        served: Whether this process may open its keys.
        epoch: The newest of its own keys, from 1.
        root_key_id: The version of the root key that wraps that one.
        living: Keys under it and under older ones.
        destroyed: Keys that were destroyed.
        left: Living keys that a rotation has still to move.
        rotating: Whether a rotation has begun and not ended.
    """

    environment: str
    served: bool
    epoch: int
    root_key_id: str
    living: int
    destroyed: int
    left: int
    rotating: bool


@dataclass(frozen=True)
class StoreState:
    """A key store.

    Attributes:
        store_id: Which one it is.
        generation: The number of the last change made in it.
        environments: By name.
        older_roots: Versions of root keys that wait to be retired.
    """

    store_id: str
    generation: int
    environments: tuple[EnvironmentState, ...]
    older_roots: tuple[str, ...]


def describe(connection: Connection, *, serves: Callable[[str], bool]) -> StoreState:
    """Count the store's keys."""
    store = connection.execute(select(key_store.c.store_id, key_store.c.generation)).one()
    # A destroyed key has no bytes: it is counted in the first figure only.
    counted = select(wrapped_keys.c.environment, func.count(), func.count(wrapped_keys.c.wrapped))
    counts = {name: (made, living) for name, made, living in connection.execute(counted.group_by("environment"))}
    living = living_keys(connection)
    states = []
    for newest in {row.environment: row for row in living}.values():
        name = newest.environment
        made, alive = counts.get(name, (0, 0))
        states.append(
            EnvironmentState(
                environment=name,
                served=serves(name),
                epoch=newest.epoch,
                root_key_id=newest.root_key_id,
                living=alive,
                destroyed=made - alive,
                left=keys_left(connection, name),
                rotating=sum(row.environment == name for row in living) > 1,
            )
        )
    waiting = connection.scalars(select(older_roots.c.root_key_id).distinct().order_by("root_key_id"))
    return StoreState(store.store_id, store.generation, tuple(states), tuple(waiting))
