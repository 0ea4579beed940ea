"""Following the audit log: what was found in it so far, and which of that was told.

Belongs here: the memory between two looks. Must stay out: what counts as a finding (guard), and Dagster.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from secure_ml.guard.redaction import Redactor
from secure_ml.guard.security_events import Finding, Kind, Memory, examine

if TYPE_CHECKING:
    from secure_ml.audit.errors import AuditLogTampered
    from secure_ml.audit.log import AuditEntry
    from secure_ml.guard.security_limits import Limits
    from secure_ml.guard.webhook import Webhook
    from secure_ml.vault.messages import Kernel

_ENVIRONMENTS = frozenset({"development", "test", "training", "production"})
_LEVELS = {"warn": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True)
class Report:
    """What stands in the log.

    Attributes:
        findings: of one environment and of the whole installation, in the order of the log.
        entries: entries that were read.
        recent_from: findings from this time on are still to be looked at; ISO 8601, UTC.
    """

    findings: Sequence[Finding]
    entries: int
    recent_from: str

    def recent(self, kind: Kind) -> list[Finding]:
        """The findings of a kind that are still to be looked at."""
        return [found for found in self.findings if found.kind == kind and found.time >= self.recent_from]


class LogWatch:
    """Follows the log for one environment. Safe to share between threads.

    Args:
        environment: findings about other environments are left to their own watches.
        limits: what is usual.
    """

    def __init__(self, environment: str, limits: "Limits") -> None:
        self._environment, self._limits = environment, limits
        self._memory, self._newest = Memory(), ""
        self._found: dict[str, Finding] = {}
        self._refused: Exception | None = None
        self._lock = threading.Lock()

    @property
    def next_entry(self) -> int:
        """Index of the first entry that was not read yet."""
        return self._memory.next_entry

    def look(self, kernel: "Kernel", *, at_most: int | None = None) -> None:
        """Reads on, to the end of the log or for so many entries. A log that is not the signed one is a finding.

        Raises:
            AccessRefused: this process may not read the log. It is asked once: the log has each asking.
        """
        from secure_ml.audit.errors import AuditLogTampered
        from secure_ml.vault.audit_reading import read_audit_entries
        from secure_ml.vault.errors import AccessRefused

        with self._lock:
            if self._refused is not None:
                raise self._refused
            entries = islice(read_audit_entries(kernel, start=self.next_entry), at_most)
            try:
                for found in examine(self._noted(entries), self._memory, self._limits):
                    self._keep(found)
            except AuditLogTampered as error:
                self._keep(self._tampered(error))
            except AccessRefused as error:
                self._refused = error
                raise

    def found_from(self, entry: int) -> list[Finding]:
        """The findings whose last entry is this one or a later one."""
        return [found for found in self._found.values() if found.entries[-1] >= entry]

    def report(self) -> Report:
        """All that was found."""
        recent = ""
        if self._newest:
            since = datetime.fromisoformat(self._newest) - timedelta(days=self._limits.report_days)
            recent = since.astimezone(UTC).isoformat(timespec="microseconds")
        return Report(tuple(self._found.values()), self.next_entry, recent)

    def _noted(self, entries: "Iterator[AuditEntry]") -> "Iterator[AuditEntry]":
        for entry in entries:
            self._newest = max(self._newest, entry.time)
            yield entry

    def _keep(self, found: Finding) -> None:
        place = found.resource.partition("/")[0]
        if place == self._environment or place not in _ENVIRONMENTS:
            self._found[found.finding_id] = found

    def _tampered(self, error: "AuditLogTampered") -> Finding:
        entry = getattr(error, "entry_index", None)
        at = self.next_entry if entry is None else max(entry, self.next_entry)
        words = f"the log itself is not the one that was signed: {error}"
        return Finding("failed_verification", "error", (at,), self._newest, "audit log", words)


class Alarm:
    """Tells of findings, each once in the life of this process: by logger, and by webhook where there is one.

    Args:
        environment: where.
        webhook: see `guard.webhook`.
        clock: gives UTC.
    """

    def __init__(self, environment: str, webhook: "Webhook | None", *, clock: Callable[[], datetime]) -> None:
        self._environment, self._webhook, self._clock = environment, webhook, clock
        self._logged: set[str] = set()
        self._delivered: set[str] = set()

    def untold(self, findings: Sequence[Finding]) -> list[Finding]:
        """Those that nobody was told of yet; errors come first."""
        left = [found for found in findings if found.finding_id not in self._delivered]
        return sorted(left, key=lambda found: found.severity != "error")

    def tell(self, findings: Sequence[Finding], log: logging.Logger) -> None:
        """Tells of each.

        Raises:
            WebhookError: the receiver did not take one; it and those after it are told at the next try, under the same
                ids. They are in the logger's log already.
        """
        for found in findings:
            if found.finding_id not in self._logged:
                entries = ", ".join(map(str, found.entries))
                words = Redactor().redact(f"{found.kind}: {found.words} (log entries {entries})")
                log.log(_LEVELS[found.severity], words)
                self._logged.add(found.finding_id)
        for found in findings:
            if self._webhook is not None:
                body = message(found, self._environment)
                self._webhook.deliver(body, message_id=found.finding_id, now=self._clock())
            self._delivered.add(found.finding_id)


def message(found: Finding, environment: str) -> bytes:
    """The webhook's body: see docs/security-events.md. No name, and no value of a person."""
    redact = Redactor().redact
    told = {name: redact(value) if isinstance(value, str) else value for name, value in asdict(found).items()}
    content = {
        "type": f"secure_ml.security_event.{found.kind}",
        "timestamp": found.time,
        "data": {"format": 1, "id": found.finding_id, "environment": environment, **told},
    }
    return json.dumps(content, sort_keys=True).encode()
