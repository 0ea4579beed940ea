"""One key for each environment: wrapped by the root key, it wraps every other key of its environment.

Belongs here: making, opening, replacing and rewrapping them. Must stay out: the keys that they wrap, and the log.

The root key's service is asked once a process and environment, however many keys are opened. Environments can have
different services: who holds the credentials of one opens nothing of another, with the whole key store at hand.
"""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection, delete, func, insert, select, update

from secure_ml.keys.context import environment_key_id
from secure_ml.keys.envelope import WRAPPING_KEY_BYTES, fingerprint, seal, unseal
from secure_ml.keys.errors import KeyDestroyed, KeyNotFound, KeyRefused, KeyServiceError, KeyServiceUnavailable
from secure_ml.keys.key_database import KeyDatabase, environment_keys, older_roots
from secure_ml.keys.service import KeyService

Found = TypeVar("Found")
Services = KeyService | Callable[[str], KeyService]
"""One key service for all environments, or which one an environment has."""


@dataclass(frozen=True)
class WrappedEnvironmentKey:
    """An environment's key as it is stored: a living one.

    Attributes:
        environment: Whose it is.
        epoch: Which of its keys, from 1; a rotation begins the next.
        fingerprint: Names the key; in hex.
        root_key_id: The version of the root key that wrapped it.
        wrapped: See `KeyService.wrap`.
    """

    environment: str
    epoch: int
    fingerprint: str
    root_key_id: str
    wrapped: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """What it was wrapped for."""
        return environment_key_id(self.environment, self.epoch)

    @property
    def name(self) -> tuple[str, int, str]:
        """Tells it from every other key of any environment."""
        return self.environment, self.epoch, self.fingerprint


@dataclass(frozen=True)
class EnvironmentKey:
    """An environment's key in clear, and the row that it was opened from."""

    stored: WrappedEnvironmentKey
    key: bytes = field(repr=False)

    def seal(self, key: bytes, *, key_id: str) -> bytes:
        """Wrap a key under this one, bound to its id."""
        return seal(self.key, key, context=key_id.encode())

    def unseal(self, unverified_wrapped: bytes, *, key_id: str) -> bytes:
        """Return the key that `seal` wrapped.

        Raises:
            KeyRefused: The bytes are not that.
        """
        return unseal(self.key, unverified_wrapped, context=key_id.encode())


OpenedKeys = dict[tuple[str, int], EnvironmentKey]
"""Environments' keys, by environment and epoch."""


def living_keys(connection: Connection, environments: Iterable[str] | None = None) -> list[WrappedEnvironmentKey]:
    """The environments' living keys, each environment's oldest first; of all environments where none are named."""
    column = environment_keys.c
    query = select(column.environment, column.epoch, column.fingerprint, column.root_key_id, column.wrapped)
    query = query.where(column.wrapped.is_not(None)).order_by(column.environment, column.epoch)
    if environments is not None:
        query = query.where(column.environment.in_(sorted(set(environments))))
    return [WrappedEnvironmentKey(*row) for row in connection.execute(query)]


class EnvironmentKeys:
    """The environments' keys that this process may use. Safe to share between threads.

    Args:
        database: Where they are stored.
        services: Wraps them.
        environments: The environments to serve; None for all.
    """

    def __init__(self, database: KeyDatabase, services: Services, environments: frozenset[str] | None) -> None:
        self._database, self._services, self._environments = database, services, environments
        self._moved: dict[str, KeyService] = {}
        self._opened: dict[tuple[str, int, str], EnvironmentKey] = {}
        self._lock = threading.Lock()

    def serves(self, environment: str) -> bool:
        """Whether keys of this environment are opened here."""
        return self._environments is None or environment in self._environments

    def require_served(self, environment: str) -> None:
        """Refuse an environment that this process is not to serve.

        Raises:
            KeyServiceError: It is such a one.
        """
        if not self.serves(environment):
            served = ", ".join(sorted(self._environments or ())) or "none"
            raise KeyServiceError(
                f"this process opens no keys of {environment}: it serves {served}; ask one that serves {environment}"
            )

    def service(self, environment: str) -> KeyService:
        """The key service of an environment that is served here."""
        self.require_served(environment)
        if environment in self._moved:
            return self._moved[environment]
        return self._services(environment) if callable(self._services) else self._services

    def open(self, living: Sequence[WrappedEnvironmentKey]) -> list[EnvironmentKey]:
        """The keys of these rows; what this process had opened of their environments besides is forgotten.

        Args:
            living: All living keys of some environments.

        Raises:
            KeyRefused: A row was altered, is of another environment, or another key service wrapped it.
            KeyDestroyed: The version of the root key that wrapped it was retired.
            KeyServiceError: The environment is not served here, or the service fails.
        """
        names = {row.name for row in living}
        environments = {row.environment for row in living}
        with self._lock:
            for known in [one for one in self._opened if one[0] in environments and one not in names]:
                del self._opened[known]
            return [self._open(row) for row in living]

    def at(self, environments: Iterable[str], read: Callable[[Connection], Found]) -> tuple[Found, OpenedKeys]:
        """What `read` finds in the database, and the environments' living keys at the same moment.

        Raises:
            KeyRefused, KeyDestroyed, KeyServiceError: As `open`.
        """
        named = sorted(set(environments))
        before: list[WrappedEnvironmentKey] | None = None
        while True:
            with self._database.reading() as connection:
                found, living = read(connection), living_keys(connection, named)
            try:
                return found, {key.stored.name[:2]: key for key in self.open(living)}
            except (KeyRefused, KeyDestroyed):
                # The end of a rotation takes older keys away, also between reading the rows and asking the service.
                if living == before:
                    raise
                before = living

    def current(self, environment: str) -> EnvironmentKey:
        """The key that wraps new keys of an environment; made where it has none.

        Raises:
            KeyRefused, KeyDestroyed, KeyServiceError: As `open`.
        """
        _, living = self.at((environment,), lambda connection: None)
        if not living:
            with self._database.writing() as connection:
                if not living_keys(connection, (environment,)):
                    self._insert(connection, environment, self._last_epoch(connection, environment) + 1)
            _, living = self.at((environment,), lambda connection: None)
        return living[max(living)]

    def begin(self, environment: str, *, above: int = 0) -> int:
        """Begin a new key of an environment, under a new version of its root key, and return its epoch.

        A rotation that has begun already, here or elsewhere, is joined. The root key gets a new version only where the
        environment's key is under the newest: environments that share a service and are rotated together share it.

        Args:
            environment: The environment.
            above: The new epoch is greater than this one.

        Raises:
            KeyNotFound: The environment has no key yet.
            KeyServiceError: It is not served here, or the service or the database fails.
        """
        service = self.service(environment)
        # The service is asked while other writers wait: none wraps by a version that is meanwhile retired.
        with self._database.writing() as connection:
            living = living_keys(connection, (environment,))
            if not living:
                raise KeyNotFound(f"{environment} has no keys yet; there is nothing to rotate")
            newest = living[-1]
            if len(living) > 1 and newest.epoch > above:
                return newest.epoch
            if newest.root_key_id == service.key_id:
                service.rotate()
            epoch = max(self._last_epoch(connection, environment), above) + 1
            self._insert(connection, environment, epoch)
            _mark_older(connection, newest)
            return epoch

    def rewrap(self, *, environments: Sequence[str], to: KeyService | None) -> int:
        """Bring these environments' keys under the newest version of their root key, or of another service's.

        All or none are moved; the keys that they wrap stay as they are.

        Args:
            environments: The environments.
            to: The service that is theirs from now on; None for the one they have.

        Returns:
            How many were not there yet.

        Raises:
            KeyRefused, KeyDestroyed, KeyServiceError: As `open`; nothing was moved.
        """
        targets = {environment: to or self.service(environment) for environment in environments}
        moved = 0
        with self._database.writing() as connection:
            for row in living_keys(connection, environments):
                target = targets[row.environment]
                if row.root_key_id == target.key_id:
                    continue
                with self._lock:
                    opened = self._open(row)
                wrapped, root_key_id = _wrapped(target, opened.key, row.key_id)
                at = environment_keys.c.environment == row.environment, environment_keys.c.epoch == row.epoch
                connection.execute(update(environment_keys).where(*at).values(wrapped=wrapped, root_key_id=root_key_id))
                _mark_older(connection, row)
                moved += 1
        if to is not None:
            self._moved |= targets
        return moved

    def retire(self) -> tuple[list[str], dict[str, str]]:
        """Retire the older versions of the root keys that no longer wrap anything here.

        Returns:
            Their ids; and of those that a service refused to retire now, what it said: they are tried again next time.

        Raises:
            KeyServiceUnavailable: A service does not answer; what was retired stays so.
            KeyServiceError: The database fails.
        """
        retired: list[str] = []
        with self._database.writing() as connection:
            used = {row.root_key_id for row in living_keys(connection)}
            marks = connection.execute(select(older_roots.c.environment, older_roots.c.root_key_id))
            waiting = [(name, root) for name, root in marks if root not in used and self.serves(name)]
            # Some services retire the oldest first: each that goes may let another go.
            while waiting:
                refused: dict[str, str] = {}
                left = []
                for environment, root_key_id in waiting:
                    reason = self._retire(environment, root_key_id, retired)
                    if reason:
                        refused[root_key_id] = reason
                        left.append((environment, root_key_id))
                        continue
                    same = older_roots.c.environment == environment, older_roots.c.root_key_id == root_key_id
                    connection.execute(delete(older_roots).where(*same))
                if len(left) == len(waiting):
                    return retired, refused
                waiting = left
        return retired, {}

    def _retire(self, environment: str, root_key_id: str, retired: list[str]) -> str:
        """Retire one version; what the service said against it, or ""."""
        try:
            self.service(environment).retire(root_key_id)
        except KeyServiceUnavailable:
            raise
        except KeyNotFound:
            # A process that was killed has retired it, or it is of a service that these keys have left.
            return ""
        except KeyServiceError as error:
            return str(error)
        retired.append(root_key_id)
        return ""

    def _open(self, row: WrappedEnvironmentKey) -> EnvironmentKey:
        if row.name not in self._opened:
            try:
                key = self.service(row.environment).unwrap(row.wrapped, context=row.key_id.encode())
            except KeyDestroyed:
                raise KeyDestroyed(
                    f"the key of {row.environment} is under a root key that was retired: this key store is older than "
                    "its last rotation; restore a newer one"
                ) from None
            except KeyRefused as error:
                raise KeyRefused(
                    f"the key of {row.environment} is not one that this key service wrapped ({error}); use the service "
                    f"of root key {row.root_key_id}"
                ) from None
            if fingerprint(key).hex() != row.fingerprint:
                raise KeyRefused(f"the key of {row.environment} bears another key's fingerprint; restore the key store")
            self._opened[row.name] = EnvironmentKey(row, key)
        return self._opened[row.name]

    def _insert(self, connection: Connection, environment: str, epoch: int) -> None:
        key = os.urandom(WRAPPING_KEY_BYTES)
        wrapped, root_key_id = _wrapped(self.service(environment), key, environment_key_id(environment, epoch))
        row = {"environment": environment, "epoch": epoch, "fingerprint": fingerprint(key).hex()}
        connection.execute(insert(environment_keys).values(**row, root_key_id=root_key_id, wrapped=wrapped))

    def _last_epoch(self, connection: Connection, environment: str) -> int:
        query = select(func.max(environment_keys.c.epoch)).where(environment_keys.c.environment == environment)
        return int(connection.scalar(query) or 0)


def _wrapped(service: KeyService, key: bytes, key_id: str) -> tuple[bytes, str]:
    """A key wrapped by a service, and the root key's version that did it."""
    wrapped = service.wrap(key, context=key_id.encode())
    return wrapped, service.wrapped_by(wrapped)


def _mark_older(connection: Connection, row: WrappedEnvironmentKey) -> None:
    """Note that a version of the root key is to be retired once it wraps nothing."""
    mark = {"environment": row.environment, "root_key_id": row.root_key_id}
    same = [older_roots.c[name] == value for name, value in mark.items()]
    if connection.execute(select(older_roots).where(*same)).one_or_none() is None:
        connection.execute(insert(older_roots).values(mark))
