"""A root key, a key store and a log below one folder, opened as often as processes would.

Belongs here: that folder, and ways to break off whoever writes there. Must stay out: what is tested.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import OperationalError

from secure_ml.audit.log import AuditEntry, AuditLog
from secure_ml.keys.custody import KeyCustody
from secure_ml.keys.local_file import LocalFileKeyService
from secure_ml.keys.signing import SigningKey
from secure_ml.keys.store import KeyContext, KeyStore
from secure_ml.state.database import State

FIRST = KeyContext("training", "loans", "version-1", "data", 0, "financial")


def contexts(versions: int, *, each: int = 5, environment: str = "training") -> list[KeyContext]:
    """Places of keys of several versions."""
    return [
        KeyContext(environment, "loans", f"version-{number}", "data", bucket, "financial")
        for number in range(1, versions + 1)
        for bucket in range(each)
    ]


@dataclass(frozen=True)
class Place:
    """The folder: `root.key` and `keys.db` below `keys`, the log in `state.db`."""

    folder: Path

    @property
    def key_store(self) -> Path:
        return self.folder / "keys" / "keys.db"

    @property
    def state_file(self) -> Path:
        return self.folder / "state.db"

    @property
    def store_url(self) -> str:
        return f"sqlite:///{self.key_store}"

    @property
    def state_url(self) -> str:
        return f"sqlite:///{self.state_file}"

    def service(self) -> LocalFileKeyService:
        keys = self.folder / "keys"
        return LocalFileKeyService.open(keys) if LocalFileKeyService.exists(keys) else LocalFileKeyService.create(keys)

    def store(self) -> KeyStore:
        return KeyStore.connect(self.store_url, service=self.service())

    def custody(self) -> KeyCustody:
        """Opened as a process does."""
        state = State.open(self.state_url)
        return KeyCustody(self.store(), state=state, log=self._log(state), actor="service:kernel")

    def log(self) -> list[AuditEntry]:
        return list(self._log(State.open(self.state_url)).entries())

    def told(self, *actions: str) -> list[tuple[str, str, str]]:
        """Action, resource and outcome of the log's entries of these actions."""
        return [(one.action, one.resource, one.outcome) for one in self.log() if one.action in actions]

    def _log(self, state: State) -> AuditLog:
        signer = SigningKey.from_seed(bytes(32), name="test")
        return AuditLog(state, signer, origin="test", commitment_secret=bytes(32), clock=lambda: datetime.now(UTC))

    @contextmanager
    def put_back(self, name: str = "keys/keys.db") -> Iterator[None]:
        """After the block a file is what it was before."""
        kept = self.folder / "kept"
        shutil.copy2(self.folder / name, kept)
        yield
        shutil.copy2(kept, self.folder / name)


@contextmanager
def at_commit(number: int, do: Callable[[], None], *, after: bool) -> Iterator[list[int]]:
    """Do something at the n-th commit that changes a database, before it or once it is durable; counts them from 1."""
    counted = [0]
    commit = DefaultDialect.do_commit

    def counting(self: DefaultDialect, connection: Any) -> None:
        counted[0] += connection.total_changes > 0
        due = counted[0] == number and connection.total_changes > 0
        if due and not after:
            do()
        commit(self, connection)
        if due and after:
            do()

    with patch.object(DefaultDialect, "do_commit", counting):
        yield counted


def fail_the_commit() -> None:
    """What a full disk does."""
    raise OperationalError("COMMIT", {}, Exception("database or disk is full"))


def killed(work: Callable[[], object], *, commit: int, after: bool) -> bool:
    """Do work in another process that is killed at its n-th commit; whether it came so far."""
    child = os.fork()
    if child == 0:
        try:
            with at_commit(commit, lambda: os.kill(os.getpid(), signal.SIGKILL), after=after):
                work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
