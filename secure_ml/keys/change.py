"""The numbered changes of a key store that the audit log knows of, so that no older copy of it passes for today's.

Belongs here: the change, and its entry in the log. Must stay out: making it, and the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from secure_ml.audit.event import AuditEvent, Detail, Outcome
from secure_ml.audit.log import AuditEntry

ChangeKind = Literal["key.create", "key.destroy"]


@dataclass(frozen=True)
class Change:
    """One change of a key store.

    Attributes:
        generation: Its number, from 1 without a gap; the store's generation is that of the last change made in it.
        kind: A secret is made, or keys are destroyed.
        target: What of: a version id, or the key id of a secret or of an environment's key.
    """

    generation: int
    kind: ChangeKind
    target: str

    @classmethod
    def read(cls, entry: AuditEntry) -> "Change | None":
        """The change that an entry of the log announces or concludes; None where it is about something else."""
        generation = entry.details.get("generation")
        if entry.action not in ("key.create", "key.destroy") or not isinstance(generation, int):
            return None
        return cls(generation, "key.create" if entry.action == "key.create" else "key.destroy", entry.resource)

    def event(self, outcome: Outcome, by: "Cause", *, details: Mapping[str, Detail] | None = None) -> AuditEvent:
        """Its entry in the log: `allowed` announces it, `done` or `failed` concludes it."""
        told: dict[str, Detail] = {"generation": self.generation, **(details or {})}
        return AuditEvent(self.kind, self.target, outcome, by.actor, by.run_id, told, by.reason)


@dataclass(frozen=True)
class Cause:
    """On whose behalf keys are changed.

    Attributes:
        actor: Who.
        run_id: The run, or "".
        reason: Why, in words.
    """

    actor: str
    run_id: str = ""
    reason: str = ""
