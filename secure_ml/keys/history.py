"""What the audit log knows of the key store: which one it is, and every change that was made in it.

Belongs here: an index in memory, read from the log itself. Must stay out: trust in the key store's own word.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from secure_ml.audit.log import AuditEntry, AuditLog
from secure_ml.audit.merkle import Frontier
from secure_ml.keys.change import Change
from secure_ml.state.database import State

STORE_KNOWN = "key.store"
"""Action of the entry that says which key store belongs to this log, and at which generation it was."""


@dataclass(frozen=True)
class Known:
    """What the log says at one moment.

    Attributes:
        store_id: The key store that belongs to it; None while no entry names one.
        settled: Number of the last change that the log concluded; 0 before the first.
        settled_at: When, by the writer's clock; "" before the first.
        pending: A change that was announced and not concluded.
        size: Entries of the log at that moment.
        destructions: By its target, the index of the entry that concluded a destruction. Others may add to it later.
    """

    store_id: str | None
    settled: int
    settled_at: str
    pending: Change | None
    size: int
    destructions: Mapping[str, int]

    @property
    def announced(self) -> int:
        """Number of the last change that was announced."""
        return self.pending.generation if self.pending is not None else self.settled

    def destroyed(self, targets: Iterable[str]) -> list[str]:
        """Those of these targets whose destruction was concluded by that moment, sorted."""
        return sorted(target for target in targets if self.destructions.get(target, self.size) < self.size)


class KeyHistory:
    """Follows the log, and holds each entry against what was signed. Safe to share between threads."""

    def __init__(self, state: State, log: AuditLog) -> None:
        self._state, self._log = state, log
        self._seen = Frontier()
        self._lock = threading.Lock()
        self._store_id: str | None = None
        self._settled, self._settled_at = 0, ""
        self._pending: Change | None = None
        self._concluded: list[Change] = []
        self._destructions: dict[str, int] = {}

    def read(self) -> Known:
        """What the log says now.

        Raises:
            StateError: The log is unavailable.
            AuditLogTampered: It is not the one that was signed.
        """
        # The lock first: a transaction that waited for it would see a log shorter than what was followed meanwhile.
        with self._lock, self._state.reading() as connection:
            return self._read(connection)

    def read_in(self, connection: Connection) -> Known:
        """What the log says in this transaction; in one that writes, nobody appends meanwhile.

        Raises:
            StateError, AuditLogTampered: As `read`.
        """
        with self._lock:
            return self._read(connection)

    def since(self, generation: int) -> list[Change]:
        """The concluded changes after this generation, in order, as far as the log was read."""
        with self._lock:
            return [change for change in self._concluded if change.generation > generation]

    def _read(self, connection: Connection) -> Known:
        entries, self._seen = self._log.signed_entries(connection, after=self._seen)
        for entry in entries:
            self._follow(entry)
        return Known(
            self._store_id, self._settled, self._settled_at, self._pending, self._seen.size, self._destructions
        )

    def _follow(self, entry: AuditEntry) -> None:
        if (entry.action, entry.outcome) == (STORE_KNOWN, "done"):
            self._store_id = str(entry.details["store_id"])
            self._settle(int(str(entry.details["generation"])), entry)
            return
        change = Change.read(entry)
        if change is None or change.generation <= self._settled:
            return
        if entry.outcome == "allowed":
            self._pending = change
            return
        self._settle(change.generation, entry)
        self._concluded.append(change)
        if entry.outcome == "done" and change.kind == "key.destroy":
            self._destructions.setdefault(change.target, entry.entry_index)

    def _settle(self, generation: int, entry: AuditEntry) -> None:
        self._settled, self._settled_at = generation, entry.time
        if self._pending is not None and self._pending.generation <= generation:
            self._pending = None
