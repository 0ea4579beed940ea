"""Grants: one person's permission to look at some columns, for some hours, once another person agreed.

Belongs here: the grant, its life and its bytes. Must stay out: who may ask or agree (decisions), storage, clocks.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from secure_ml.access.actions import Action
from secure_ml.access.stages import Stage

GRANT_KIND = "grant.v1"
_FORMAT = "secure_ml/grant/1"

LONGEST_HOURS = 72
"""Longest time that a grant is open, counted from its approval."""

LONGEST_REASON = 500
"""Characters of a reason."""

REQUEST_TTL = timedelta(days=7)
"""Time after which a request can no longer be approved: its reason may be gone."""

GRANTABLE = (Stage.RAW, Stage.MASKED, Stage.SPLIT)
"""Stages that a grant can open: the tables. Models and evidence are read by role or not at all."""

GRANT_CHANGES = frozenset({Action.GRANT_REQUEST, Action.GRANT_APPROVE, Action.GRANT_REVOKE})
"""Actions of the log entries that bring a grant to another state."""

GrantState = Literal["requested", "lapsed", "open", "expired", "revoked"]


class GrantRefused(Exception):
    """A grant that cannot be asked for, approved or revoked as it stands; the text says why."""


class GrantUnreadable(Exception):
    """The bytes are not a grant of a known format."""


@dataclass(frozen=True)
class Grant:
    """A request to look at columns outside a run, and what became of it.

    Attributes:
        grant_id: 32 hexadecimal digits.
        environment: the environment that it is bound to.
        project: the project that it is bound to.
        stage: the stage whose columns it opens.
        columns: their names, sorted.
        purpose: the policy's purpose when it was asked for; under another one it gives nothing.
        hours: how long it is open once approved.
        requested_by: the actor who asked, and the only one it is for.
        requested_at: UTC.
        reason: why, in the words of who asked.
        approved_by: another actor; "" until then.
        approved_at: UTC; the hours count from here.
        revoked_by: who ended it early; "" if nobody did.
        revoked_at: UTC.
        audit_index: the log entry that brought it to this state.
    """

    grant_id: str
    environment: str
    project: str
    stage: Stage
    columns: tuple[str, ...]
    purpose: str
    hours: int
    requested_by: str
    requested_at: datetime
    reason: str
    approved_by: str = ""
    approved_at: datetime | None = None
    revoked_by: str = ""
    revoked_at: datetime | None = None
    audit_index: int = -1

    def __post_init__(self) -> None:
        if not 1 <= self.hours <= LONGEST_HOURS:
            raise GrantRefused(f"a grant is for 1 to {LONGEST_HOURS} hours")
        if self.stage not in GRANTABLE:
            raise GrantRefused(f"a grant opens {', '.join(GRANTABLE)}; {self.stage} is no table of people")
        if not self.columns or list(self.columns) != sorted(set(self.columns)):
            raise GrantRefused("a grant names at least one column, each once and in order")
        if not self.purpose.strip() or not self.reason.strip():
            raise GrantRefused("a grant needs a purpose and a reason")
        if len(self.reason) > LONGEST_REASON:
            raise GrantRefused(f"a reason has at most {LONGEST_REASON} characters")
        if self.approved_by == self.requested_by:
            raise GrantRefused("who asks for a grant may not approve it")

    @property
    def expires(self) -> datetime | None:
        """Time from which it gives nothing more, UTC; None until it is approved."""
        return None if self.approved_at is None else self.approved_at + timedelta(hours=self.hours)

    def state(self, now: datetime) -> GrantState:
        """What it is worth at this time; only an open one gives anything."""
        if self.revoked_at is not None:
            return "revoked"
        if self.approved_at is None or self.expires is None:
            return "lapsed" if now >= self.requested_at + REQUEST_TTL else "requested"
        # A clock that was set back opens nothing early.
        return "open" if self.approved_at <= now < self.expires else "expired"

    def approved(self, *, by: str, now: datetime) -> "Grant":
        """The grant, open from now on.

        Raises:
            GrantRefused: it is not waiting for approval, or the approver asked for it.
        """
        if self.state(now) != "requested":
            raise GrantRefused(f"the grant is {self.state(now)}, so it cannot be approved; ask for a new one")
        return replace(self, approved_by=by, approved_at=now)

    def revoked(self, *, by: str, now: datetime) -> "Grant":
        """The grant, closed for good.

        Raises:
            GrantRefused: it is closed already.
        """
        if self.state(now) not in {"requested", "open"}:
            raise GrantRefused(f"the grant is {self.state(now)}; there is nothing to revoke")
        return replace(self, revoked_by=by, revoked_at=now)

    def to_bytes(self) -> bytes:
        """Canonical JSON, format secure_ml/grant/1."""
        times = {name: at.isoformat() if (at := getattr(self, name)) else "" for name in _TIMES}
        content = {"format": _FORMAT, **vars(self), **times}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, verified: bytes) -> "Grant":
        """The inverse of `to_bytes`; the signature must have been verified before.

        Raises:
            GrantUnreadable: the bytes are of another format.
        """
        content: dict[str, Any] = json.loads(verified)
        if content.pop("format", None) != _FORMAT:
            raise GrantUnreadable(f"a grant is not of the format {_FORMAT}; a newer secure_ml may have written it")
        times = {name: datetime.fromisoformat(content[name]) if content[name] else None for name in _TIMES}
        fixed = {"stage": Stage(content["stage"]), "columns": tuple(content["columns"])}
        return cls(**{**content, **times, **fixed})


_TIMES = ("requested_at", "approved_at", "revoked_at")
