"""The key store: wrapped keys, and the destroying of them.

Belongs here: a database of its own that lies elsewhere than data and state. Must stay out: plaintext keys at
rest, data, decisions, and the log (custody).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select, update

from secure_ml.keys.change import Change
from secure_ml.keys.context import KeyContext, environment_of, parse_environment_key_id, secret_id
from secure_ml.keys.description import StoreState, describe
from secure_ml.keys.environment_keys import EnvironmentKeys, OpenedKeys, Services, living_keys
from secure_ml.keys.errors import KeyDestroyed, KeyNotFound, KeyRefused, KeyServiceError, KeyStoreRolledBack
from secure_ml.keys.key_database import KeyDatabase, environment_keys, key_store, wrapped_keys
from secure_ml.keys.rotation import keys_under, move_keys

__all__ = ["KeyContext", "KeyStore", "Mark", "Opened"]

_KEY_BYTES = 32
_QUERY_KEYS = 500
"""Keys in one query; databases bound the parameters of a statement."""

_Stored = tuple[int, bytes | None]
"""Epoch of the environment's key above, and the wrapped bytes; None once destroyed."""


@dataclass(frozen=True)
class Mark:
    """Which store it is, and the number of the last change that was made in it."""

    store_id: str
    generation: int


@dataclass(frozen=True)
class Opened:
    """Keys by their id, the store's mark when they were read, and the ids of the environments' keys above them."""

    keys: Mapping[str, bytes] = field(repr=False)
    mark: Mark
    opened_with: frozenset[str]


class KeyStore:
    """Keys for each version, bucket and category, and secrets for each scope; each wrapped by its environment's key.

    It knows nothing of the log: after the log is there, `KeyCustody` speaks for it. Safe to share between threads; each
    process opens its own.

    Args:
        database: Holds the wrapped keys.
        environment_keys: Wraps them.
    """

    def __init__(self, database: KeyDatabase, environment_keys: EnvironmentKeys) -> None:
        self._database, self.environment_keys = database, environment_keys

    @classmethod
    def connect(cls, url: str, *, service: Services, environments: frozenset[str] | None = None) -> "KeyStore":
        """Open the key store's database, creating it where it is missing.

        Args:
            url: A database URL of the key store's own.
            service: Wraps the environments' keys; a function where an environment has a service of its own. It is also
                asked for `INSTALLATION`, under which the secrets of no environment are.
            environments: Those to serve; None for all. `INSTALLATION` is one of them.

        Raises:
            KeyServiceError: The database cannot be used, or is not a key store of this format.
        """
        database = KeyDatabase.connect(url)
        return cls(database, EnvironmentKeys(database, service, environments))

    @property
    def place(self) -> str:
        """The database's URL without its password."""
        return self._database.place

    def mark(self) -> Mark:
        """Which store it is, and its generation.

        Raises:
            KeyServiceError: The store fails.
        """
        with self._database.reading() as connection:
            return _mark(connection)

    def create(self, contexts: Sequence[KeyContext]) -> dict[KeyContext, bytes]:
        """Make a fresh 32-byte key for each context, durably, all or none.

        Raises:
            KeyServiceError: A context has a key already, or had one; an environment is not served here; or the store or
                the service fails.
        """
        fresh = {context: os.urandom(_KEY_BYTES) for context in contexts}
        if fresh:
            self._insert({at.key_id: (at.version_id, key) for at, key in fresh.items()})
        return fresh

    def open(self, context: KeyContext) -> bytes:
        """Return the key of a context.

        Raises:
            KeyDestroyed: It was destroyed.
            KeyNotFound: It was never made.
            KeyRefused: The stored bytes are not the ones wrapped for this context.
            KeyServiceError: The environment is not served here, or the store or the service fails.
        """
        return self.open_all((context,))[context]

    def open_all(self, contexts: Sequence[KeyContext]) -> dict[KeyContext, bytes]:
        """Return the keys of these contexts, all or none.

        Raises:
            KeyDestroyed, KeyNotFound, KeyRefused, KeyServiceError: As `open`, for the first that cannot be opened.
        """
        keys = self.read([context.key_id for context in contexts]).keys
        return {context: keys[context.key_id] for context in contexts}

    def secret(self, scope: str, *, create: bool) -> bytes:
        """The 32-byte secret of a scope, such as the salt source of the audit log's commitments.

        Args:
            scope: Its name; see `context.secret_id`.
            create: Make it where it was never made; a destroyed one is not made again.

        Raises:
            KeyDestroyed: It was destroyed.
            KeyNotFound: It was never made and is not to be made.
            KeyServiceError: Its environment is not served here, or the store or the service fails.
        """
        key_id = secret_id(scope)
        if create and not self.holds(key_id):
            self._insert(
                {key_id: (key_id, os.urandom(_KEY_BYTES))}, unless=lambda connection: _holds(connection, key_id)
            )
        return self.read((key_id,)).keys[key_id]

    def read(self, key_ids: Sequence[str]) -> Opened:
        """Open keys by their ids, all or none, and say at which moment of the store's.

        Raises:
            KeyDestroyed, KeyNotFound, KeyRefused, KeyServiceError: As `open`.
        """
        environments = {environment_of(key_id) for key_id in key_ids}
        (mark, stored), above = self.environment_keys.at(
            environments, lambda connection: (_mark(connection), _rows(connection, key_ids))
        )
        keys = {key_id: _unseal(key_id, stored.get(key_id), above) for key_id in key_ids}
        used = {above[environment_of(key_id), stored[key_id][0]].stored.key_id for key_id in key_ids}
        return Opened(keys, mark, frozenset(used))

    def holds(self, key_id: str) -> bool:
        """Whether a key of this id was made, also where it was destroyed since.

        Raises:
            KeyServiceError: The store fails.
        """
        with self._database.reading() as connection:
            return _holds(connection, key_id)

    def lives(self, key_id: str) -> bool:
        """Whether a key of this id was made and not destroyed.

        Raises:
            KeyServiceError: The store fails.
        """
        with self._database.reading() as connection:
            return any(wrapped is not None for _, wrapped in _rows(connection, (key_id,)).values())

    def is_replaced(self, environment: str, epoch: int) -> bool:
        """Whether an environment has a newer key than this one, and nothing is under this one or those before it.

        Raises:
            KeyServiceError: The store fails.
        """
        with self._database.reading() as connection:
            return _is_replaced(connection, environment, epoch)

    def environment_of_version(self, version_id: str) -> str:
        """The environment of a version that has keys here, or had.

        Raises:
            KeyNotFound: It never had.
            KeyServiceError: The store fails.
        """
        query = select(wrapped_keys.c.environment).where(wrapped_keys.c.version_id == version_id).limit(1)
        with self._database.reading() as connection:
            environment = connection.scalar(query)
        if environment is None:
            raise KeyNotFound(f"there is no key of {version_id}; check that this key store belongs to this data")
        return str(environment)

    def apply(self, change: Change, *, secret: bytes | None = None) -> int | None:
        """Make a change that the log has announced.

        Args:
            change: Its number follows the store's generation, or it was made before.
            secret: The secret to make; None where whoever announced it is gone: then only the number is taken.

        Returns:
            How many keys it made or destroyed; None where it, or another change of that number, was made before.

        Raises:
            KeyStoreRolledBack: The store lacks changes before this one.
            KeyServiceError: Keys are still under the environment's key that is to be destroyed, or the store fails.
        """
        if change.kind == "key.destroy":
            with self._database.writing() as connection:
                return _destroy(connection, change.target) if _advance(connection, change) else None
        if secret is None:
            with self._database.writing() as connection:
                return 0 if _advance(connection, change) else None
        made = self._insert(
            {change.target: (change.target, secret)}, unless=lambda connection: not _advance(connection, change)
        )
        return 1 if made else None

    def move(self, environment: str, *, go_on: Callable[[], bool]) -> int:
        """Rewrap the keys of an environment that are under an older key of it; see `rotation.move_keys`."""
        return move_keys(self._database, self.environment_keys, environment, go_on=go_on)

    def older_keys(self, environment: str) -> list[str]:
        """Ids of the environment's living keys but the newest.

        Raises:
            KeyServiceError: The store fails.
        """
        with self._database.reading() as connection:
            return [row.key_id for row in living_keys(connection, (environment,))[:-1]]

    def describe(self) -> StoreState:
        """What the store holds, in numbers and names.

        Raises:
            KeyServiceError: The store fails.
        """
        with self._database.reading() as connection:
            return describe(connection, serves=self.environment_keys.serves)

    def replay(self, changes: Sequence[Change]) -> None:
        """Make changes again that a restored store lacks, without the store's becoming newer by it.

        A secret that was made since is lost: its place is taken, so that none is made in its stead unnoticed. Keys of
        environments are left to `conclude`, since others may be under them.

        Raises:
            KeyServiceError: The store fails; none was made.
        """
        with self._database.writing() as connection:
            for change in changes:
                if change.kind == "key.create" and not _holds(connection, change.target):
                    lost = {"key_id": change.target, "version_id": change.target, "epoch": 0, "wrapped": None}
                    connection.execute(insert(wrapped_keys).values(**lost, environment=environment_of(change.target)))
                elif change.kind == "key.destroy" and parse_environment_key_id(change.target) is None:
                    _destroy(connection, change.target)

    def conclude(self, generation: int, environment_key_ids: Sequence[str]) -> None:
        """Destroy keys of environments again, and make the store as new as this generation.

        Raises:
            KeyServiceError: Keys are still under one of them, or the store fails; nothing was done.
        """
        with self._database.writing() as connection:
            for key_id in environment_key_ids:
                _destroy(connection, key_id)
            connection.execute(update(key_store).values(generation=generation))

    def _insert(
        self, fresh: Mapping[str, tuple[str, bytes]], *, unless: Callable[[Connection], bool] | None = None
    ) -> bool:
        """Store keys by id, each with what destroys it, under the newest keys of their environments.

        Where `unless` says so, in the same transaction, none is stored and False returned.
        """
        environments = {environment_of(key_id) for key_id in fresh}
        while True:
            above = {environment: self.environment_keys.current(environment) for environment in environments}
            rows = [
                {
                    "key_id": key_id,
                    "version_id": version_id,
                    "environment": environment,
                    "epoch": above[environment].stored.epoch,
                    "wrapped": above[environment].seal(key, key_id=key_id),
                }
                for key_id, (version_id, key) in fresh.items()
                for environment in (environment_of(key_id),)
            ]
            with self._database.writing() as connection:
                newest = {row.environment: row.name for row in living_keys(connection, environments)}
                # A rotation may have begun: what was wrapped under the key before it would be destroyed with that key.
                if any(newest[environment] != key.stored.name for environment, key in above.items()):
                    continue
                if unless is not None and unless(connection):
                    return False
                connection.execute(insert(wrapped_keys), rows)
                return True


def _mark(connection: Connection) -> Mark:
    return Mark(*connection.execute(select(key_store.c.store_id, key_store.c.generation)).one())


def _holds(connection: Connection, key_id: str) -> bool:
    return connection.scalar(select(wrapped_keys.c.key_id).where(wrapped_keys.c.key_id == key_id)) is not None


def _rows(connection: Connection, key_ids: Sequence[str]) -> dict[str, _Stored]:
    stored: dict[str, _Stored] = {}
    for first in range(0, len(key_ids), _QUERY_KEYS):
        some = key_ids[first : first + _QUERY_KEYS]
        query = select(wrapped_keys.c.key_id, wrapped_keys.c.epoch, wrapped_keys.c.wrapped)
        found = connection.execute(query.where(wrapped_keys.c.key_id.in_(some)))
        stored |= {key_id: (epoch, wrapped) for key_id, epoch, wrapped in found}
    return stored


def _unseal(key_id: str, stored: _Stored | None, above: OpenedKeys) -> bytes:
    if stored is None:
        raise KeyNotFound(f"there is no key {key_id}; check that this key store belongs to this data")
    epoch, wrapped = stored
    if wrapped is None:
        raise KeyDestroyed(f"key {key_id} was destroyed; what it protected cannot be opened again")
    wrapping = above.get((environment_of(key_id), epoch))
    if wrapping is None:
        raise KeyRefused(f"key {key_id} is under a key of its environment that is gone; restore the key store")
    return wrapping.unseal(wrapped, key_id=key_id)


def _advance(connection: Connection, change: Change) -> bool:
    """Take the change's number; False where it was taken before."""
    generation = _mark(connection).generation
    if generation >= change.generation:
        return False
    if generation != change.generation - 1:
        raise KeyStoreRolledBack(
            f"the key store is at change {generation} and cannot make change {change.generation}; restore a newer one"
        )
    connection.execute(update(key_store).values(generation=change.generation))
    return True


def _is_replaced(connection: Connection, environment: str, epoch: int) -> bool:
    newest = max((row.epoch for row in living_keys(connection, (environment,))), default=0)
    return newest > epoch and not keys_under(connection, environment, before=epoch + 1)


def _destroy(connection: Connection, target: str) -> int:
    """Destroy the keys of a version, a secret, or an environment's older key that nothing is under any more."""
    named = parse_environment_key_id(target)
    if named is None:
        living = wrapped_keys.c.version_id == target, wrapped_keys.c.wrapped.is_not(None)
        return connection.execute(update(wrapped_keys).where(*living).values(wrapped=None)).rowcount
    environment, epoch = named
    if not _is_replaced(connection, environment, epoch):
        raise KeyServiceError(f"{target} still wraps keys; rotate {environment} first")
    column = environment_keys.c
    at = column.environment == environment, column.epoch == epoch, column.wrapped.is_not(None)
    return connection.execute(update(environment_keys).where(*at).values(wrapped=None)).rowcount
