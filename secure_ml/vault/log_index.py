"""What the audit log knows last of each address and verdict, so that a rolled-back head or verdict is noticed.

Belongs here: an index in memory, read from the log itself. Must stay out: trust in any other table.
"""

from secure_ml.audit.log import AuditLog


class LogIndex:
    """Follows the log; each look-up first reads the entries that it has not seen."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._seen = 0
        self._commits: dict[str, int] = {}
        self._verdicts: dict[tuple[str, str], int] = {}

    def last_commit(self, address: str) -> int | None:
        """Index of the last entry that committed a version at this address."""
        self._follow()
        return self._commits.get(address)

    def last_verdict(self, version_id: str, check: str) -> int | None:
        """Index of the last entry that recorded this check's verdict on this version."""
        self._follow()
        return self._verdicts.get((version_id, check))

    def _follow(self) -> None:
        for entry in self._log.entries(start=self._seen):
            if entry.action == "version.commit":
                self._commits[entry.resource] = entry.entry_index
            elif entry.action == "verdict.record":
                key = (str(entry.details["version_id"]), str(entry.details["check"]))
                self._verdicts[key] = entry.entry_index
            self._seen = entry.entry_index + 1
