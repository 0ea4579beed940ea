"""What in the audit log a person should look at: one detector for each kind of event.

Belongs here: pure functions over entries, in their order. Must stay out: reading the log, clocks, telling anybody.

The order of the log is proof; its times are the word of whoever wrote it (docs/formats/audit-log.md). Detectors that
count within a time or a day are as good as that clock; `clock_set_back` watches it.
"""

import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from secure_ml.guard.security_limits import Limits

if TYPE_CHECKING:
    from secure_ml.audit.log import AuditEntry

Kind = Literal[
    "repeated_refusals",
    "repeated_reveals",
    "bulk_decryption",
    "new_actor",
    "odd_hours",
    "failed_verification",
    "egress_attempt",
    "key_destruction",
    "clock_set_back",
]
Severity = Literal["warn", "error"]

_NOBODY = "unverified"
_KERNEL = "service:kernel"
_SERVICE = "service:"
_NOT_AUTHENTIC = frozenset(
    {
        "AuditLogTampered", "CheckpointRefused", "KeyRefused", "KeyStoreMismatch", "KeyStoreRolledBack",
        "SignatureRefused", "Tampered",
    }
)  # fmt: skip
_BY_A_PERSON = frozenset(
    {
        "grant.approve", "grant.request", "key.derive", "keys.destroy", "keys.rotate", "model.approve",
        "promotion.record", "run.start", "source.draft", "source.read", "value.reveal", "version.read", "version.write",
    }
)  # fmt: skip
_ENVIRONMENT_KEY = "environment-key/"
_VERSION_ID = re.compile(r"[0-9a-f]{32}")
_NORMAL_SPREAD = 1.4826  # A normal distribution's standard deviation, in median absolute deviations.
_CROWDED = 1_000


@dataclass(frozen=True)
class Finding:
    """Something to look at. It names entries of the log, never an actor: findings are shown to more people.

    Attributes:
        kind: of which kind it is.
        severity: `error` where something is refused as not authentic or tried to leave; `warn` otherwise.
        entries: the entries of the log that it rests on, in order.
        time: of the last of them, ISO 8601, UTC, as the log has it.
        resource: on what, by the last of them, such as an asset key.
        words: what was found, for people; no value of a person, no name.
    """

    kind: Kind
    severity: Severity
    entries: tuple[int, ...]
    time: str
    resource: str
    words: str

    @property
    def finding_id(self) -> str:
        """The same whenever the same log is read again: whoever is told twice can tell. 32 hexadecimal digits."""
        content = f"secure_ml/finding/1 {self.kind} {','.join(map(str, self.entries))}"
        return hashlib.sha256(content.encode()).hexdigest()[:32]


@dataclass
class _Reading:
    """What one actor has opened: cells by day."""

    today: date
    cells: int = 0
    first_entry: int = 0
    told: bool = False
    days: deque[int] = field(default_factory=deque)


@dataclass
class Memory:
    """What the detectors remember of the entries so far. It holds names of actors, and is never stored.

    Attributes:
        next_entry: index of the entry that must come next.
    """

    next_entry: int = 0
    _last_time: datetime | None = None
    _actors: set[str] = field(default_factory=set, repr=False)
    _refusals: defaultdict[str, deque[tuple[datetime, int]]] = field(
        default_factory=lambda: defaultdict(deque), repr=False
    )
    _reveals: defaultdict[str, deque[tuple[datetime, int]]] = field(
        default_factory=lambda: defaultdict(deque), repr=False
    )
    _rows: dict[str, int] = field(default_factory=dict)
    _versions: set[str] = field(default_factory=set, repr=False)
    _reading: dict[str, _Reading] = field(default_factory=dict, repr=False)
    _rotating: bool = False
    _odd: dict[str, date] = field(default_factory=dict, repr=False)


Detector = Callable[["AuditEntry", Memory, Limits], Finding | None]


def examine(entries: "Iterable[AuditEntry]", memory: Memory, limits: Limits) -> Iterator[Finding]:
    """Streams over the log, from where the memory left off.

    Args:
        entries: the next ones, in order, without a gap.
        memory: of all entries before; it follows.
        limits: what is usual here.

    Raises:
        ValueError: an entry is missing.
    """
    for entry in entries:
        if entry.entry_index != memory.next_entry:
            raise ValueError(f"the entry {memory.next_entry} must come next, not {entry.entry_index}")
        for detect in DETECTORS.values():
            if (finding := detect(entry, memory, limits)) is not None:
                yield finding
        memory.next_entry += 1


def repeated_refusals(entry: "AuditEntry", memory: Memory, limits: Limits) -> Finding | None:
    """One actor, or one run, was refused again and again within a short time: somebody tries doors."""
    if entry.outcome != "refused":
        return None
    now = _time(entry)
    since = now - timedelta(minutes=limits.refusals_minutes)
    if len(memory._refusals) > _CROWDED:
        for key in [key for key, seen in memory._refusals.items() if not seen or seen[-1][0] < since]:
            del memory._refusals[key]
    keys = [f"actor {entry.actor}"] * (entry.actor is not None) + [f"run {entry.run_id}"] * bool(entry.run_id)
    for key in keys:
        seen = memory._refusals[key]
        seen.append((now, entry.entry_index))
        while seen[0][0] < since:
            seen.popleft()
    for key in keys:
        indices = tuple(index for _, index in memory._refusals[key])
        if len(indices) >= limits.refusals:
            for told in keys:
                memory._refusals[told].clear()
            words = f"{len(indices)} refusals of one {key.split()[0]} within {limits.refusals_minutes} minutes"
            return Finding("repeated_refusals", "warn", indices, entry.time, entry.resource, words)
    return None


def repeated_reveals(entry: "AuditEntry", memory: Memory, limits: Limits) -> Finding | None:
    """One actor had masked values back again and again within a short time: somebody takes a column apart."""
    if (entry.action, entry.outcome) != ("value.reveal", "done") or entry.actor is None:
        return None
    now, seen = _time(entry), memory._reveals[entry.actor]
    seen.append((now, entry.entry_index))
    while seen[0][0] < now - timedelta(minutes=limits.reveals_minutes):
        seen.popleft()
    if len(seen) < limits.reveals:
        return None
    indices = tuple(index for _, index in seen)
    seen.clear()
    words = f"{len(indices)} masked values were given back to one actor within {limits.reveals_minutes} minutes"
    return Finding("repeated_reveals", "warn", indices, entry.time, entry.resource, words)


def bulk_decryption(entry: "AuditEntry", memory: Memory, limits: Limits) -> Finding | None:
    """An actor opened far more cells in a day than on its days before.

    A day counts rows times columns of each read. It stands out when its modified z-score (Iglewicz and Hoaglin, 1993),
    by median and median absolute deviation of the actor's days before, is above the limit. The spread is taken as half
    the median at least: days that are all alike make nothing unusual of a little more.
    """
    if entry.action == "version.commit" and entry.outcome == "done":
        rows = entry.details.get("rows")
        memory._rows[entry.resource] = rows if isinstance(rows, int) else 0
        return None
    if (entry.action, entry.outcome) != ("version.read", "allowed") or entry.actor is None:
        return None
    columns = entry.details.get("columns")
    cells = memory._rows.get(entry.resource, 0) * (len(columns) if isinstance(columns, list) else 0)
    today = _local(entry, limits).date()
    reading = memory._reading.setdefault(entry.actor, _Reading(today, days=deque(maxlen=limits.bulk_days)))
    if reading.today != today:
        reading.days.append(reading.cells)
        reading.today, reading.cells, reading.told = today, 0, False
    if not reading.cells:
        reading.first_entry = entry.entry_index
    reading.cells += cells
    usual = _usual_at_most(reading.days, limits)
    if usual is None or reading.told or reading.cells <= usual:
        return None
    reading.told = True
    words = f"one actor opened {reading.cells:,} cells in a day; up to {usual:,.0f} would be usual for it"
    entries = tuple(dict.fromkeys((reading.first_entry, entry.entry_index)))
    return Finding("bulk_decryption", "warn", entries, entry.time, entry.resource, words)


def _usual_at_most(days: Iterable[int], limits: Limits) -> float | None:
    """The most cells that would be usual; None while there are too few days to say."""
    cells = list(days)
    if len(cells) < limits.bulk_days_needed:
        return None
    middle = median(cells)
    spread = max(_NORMAL_SPREAD * median(abs(count - middle) for count in cells), middle / 2)
    return max(float(limits.bulk_cells), middle + limits.bulk_score * spread)


def new_actor(entry: "AuditEntry", memory: Memory, _: Limits) -> Finding | None:
    """The log has an actor that it did not have before.

    The first person is not told, who made the installation, and neither are the services that were there before: they
    are the installation itself.
    """
    actor = entry.actor
    if actor is None or actor in (_NOBODY, _KERNEL) or actor in memory._actors:
        return None
    founded = any(not known.startswith(_SERVICE) for known in memory._actors)
    memory._actors.add(actor)
    if not founded:
        return None
    words = f"a {'service' if actor.startswith(_SERVICE) else 'person'} acts here for the first time"
    return Finding("new_actor", "warn", (entry.entry_index,), entry.time, entry.resource, words)


def odd_hours(entry: "AuditEntry", memory: Memory, limits: Limits) -> Finding | None:
    """A person opened, wrote, approved or destroyed outside working hours; told once a person and day."""
    hours, actor = limits.working_hours, entry.actor
    if hours is None or actor in (None, _NOBODY) or str(actor).startswith(_SERVICE):
        return None
    if entry.action not in _BY_A_PERSON or entry.outcome not in ("allowed", "done"):
        return None
    local = _local(entry, limits)
    if hours.include(local) or memory._odd.get(str(actor)) == local.date():
        return None
    memory._odd[str(actor)] = local.date()
    words = f"{entry.action} by a person at {local:%A %H:%M} ({limits.time_zone}), outside working hours"
    return Finding("odd_hours", "warn", (entry.entry_index,), entry.time, entry.resource, words)


def failed_verification(entry: "AuditEntry", _: Memory, __: Limits) -> Finding | None:
    """Something was not authentic: a file, a manifest, a key, the key store, a signature, a ticket, a caller."""
    error = entry.details.get("error")
    if error in _NOT_AUTHENTIC:
        words = f"{entry.action} met {error}: what is stored is not what was committed"
        return Finding("failed_verification", "error", (entry.entry_index,), entry.time, entry.resource, words)
    if (entry.action, entry.outcome) == ("key.recover", "allowed"):
        words = "the key store was not the one that the log knows, and was brought up to date again"
        return Finding("failed_verification", "warn", (entry.entry_index,), entry.time, entry.resource, words)
    if entry.actor == _NOBODY and entry.outcome == "refused":
        words = f"{entry.action} was asked for with a ticket, or by a caller, that proved nothing"
        return Finding("failed_verification", "warn", (entry.entry_index,), entry.time, entry.resource, words)
    return None


def egress_attempt(entry: "AuditEntry", _: Memory, __: Limits) -> Finding | None:
    """Code of a run tried to reach another machine, and the tripwire refused it."""
    if entry.action != "egress.attempt":
        return None
    port = entry.details.get("port")
    told = (str(entry.details.get("kind")), str(entry.details.get("destination")), *([f"port {port}"] if port else []))
    words = f"code of a run tried to reach another machine: {', '.join(told)}"
    return Finding("egress_attempt", "error", (entry.entry_index,), entry.time, entry.resource, words)


def key_destruction(entry: "AuditEntry", memory: Memory, _: Limits) -> Finding | None:
    """Keys of committed data, or a secret, were destroyed.

    Those of a write that was given up are nobody's loss, and neither are those of an environment that a rotation or a
    recovery has replaced.
    """
    if (entry.action, entry.outcome) == ("version.commit", "done"):
        memory._versions.add(str(entry.details.get("version_id")))
    if entry.action in ("key.recover", "key.rotate"):
        memory._rotating = entry.outcome == "allowed"
    if (entry.action, entry.outcome) != ("key.destroy", "done"):
        return None
    if _VERSION_ID.fullmatch(entry.resource) and entry.resource not in memory._versions:
        return None
    if memory._rotating and entry.resource.startswith(_ENVIRONMENT_KEY):
        return None
    words = "keys were destroyed: what they protect cannot be opened again, in no copy"
    return Finding("key_destruction", "warn", (entry.entry_index,), entry.time, entry.resource, words)


def clock_set_back(entry: "AuditEntry", memory: Memory, limits: Limits) -> Finding | None:
    """An entry bears an earlier time than the one before it: times of the log are not to be relied on around it."""
    now, before = _time(entry), memory._last_time
    memory._last_time = now
    if before is None or before - now <= timedelta(seconds=limits.clock_seconds):
        return None
    words = f"the clock went back by {(before - now).total_seconds():,.0f} seconds"
    return Finding(
        "clock_set_back", "warn", (entry.entry_index - 1, entry.entry_index), entry.time, entry.resource, words
    )


def _time(entry: "AuditEntry") -> datetime:
    return datetime.fromisoformat(entry.time)


def _local(entry: "AuditEntry", limits: Limits) -> datetime:
    return _time(entry).astimezone(limits.zone)


DETECTORS: Mapping[Kind, Detector] = MappingProxyType(
    {
        "repeated_refusals": repeated_refusals,
        "repeated_reveals": repeated_reveals,
        "bulk_decryption": bulk_decryption,
        "new_actor": new_actor,
        "odd_hours": odd_hours,
        "failed_verification": failed_verification,
        "egress_attempt": egress_attempt,
        "key_destruction": key_destruction,
        "clock_set_back": clock_set_back,
    }
)
"""Every detector, by the kind of what it finds."""
