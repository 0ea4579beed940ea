"""What the audit log knows last of each address, verdict, grant and promotion: a rolled-back or forged one is noticed.

Belongs here: an index in memory, read from the log itself. Must stay out: trust in any other table.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from secure_ml.access.actions import Action
from secure_ml.access.grants import GRANT_CHANGES
from secure_ml.audit.log import AuditLog
from secure_ml.audit.merkle import Frontier
from secure_ml.state.database import State


class LogIndex:
    """Follows the log, and holds each entry against what was signed. Safe to share between threads."""

    def __init__(self, state: State, log: AuditLog) -> None:
        self._state, self._log = state, log
        self._seen = Frontier()
        self._lock = threading.Lock()
        self._commits: dict[str, tuple[int, str]] = {}
        self._verdicts: dict[tuple[str, str], int] = {}
        self._grants: dict[str, int] = {}
        self._promotions: dict[str, int] = {}

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A reading transaction for whose length the look-ups say what the log knows in that same transaction.

        A row read in another one would differ from the log whenever somebody commits in between.

        Raises:
            AuditLogTampered: the log is not the one that was signed.
        """
        with self._lock, self._state.reading() as connection:
            self._follow(connection)
            yield connection

    def last_commit(self, address: str) -> tuple[int, str] | None:
        """Index of the last entry that committed a version at this address, and that version's id."""
        return self._commits.get(address)

    def addresses(self, prefix: str) -> list[str]:
        """The addresses that begin so and at which a version was committed, sorted."""
        return sorted(address for address in self._commits if address.startswith(prefix))

    def last_verdict(self, version_id: str, check: str) -> int | None:
        """Index of the last entry that recorded this check's verdict on this version."""
        return self._verdicts.get((version_id, check))

    def last_grant(self, grant_id: str) -> int | None:
        """Index of the last entry that changed this grant."""
        return self._grants.get(grant_id)

    def promotion(self, promotion_id: str) -> int | None:
        """Index of the entry that recorded this promotion."""
        return self._promotions.get(promotion_id)

    def _follow(self, connection: Connection) -> None:
        entries, seen = self._log.signed_entries(connection, after=self._seen)
        for entry in entries:
            if (entry.action, entry.outcome) == ("version.commit", "done"):
                self._commits[entry.resource] = entry.entry_index, str(entry.details["version_id"])
            elif (entry.action, entry.outcome) == ("verdict.record", "done"):
                key = (str(entry.details["version_id"]), str(entry.details["check"]))
                self._verdicts[key] = entry.entry_index
            elif entry.action in GRANT_CHANGES and entry.outcome == "done":
                self._grants[str(entry.details["grant_id"])] = entry.entry_index
            elif (entry.action, entry.outcome) == (Action.PROMOTION_RECORD, "done"):
                self._promotions[str(entry.details["promotion_id"])] = entry.entry_index
        self._seen = seen
