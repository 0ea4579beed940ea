"""What one audit event says, and the bytes of it that the tree protects.

Belongs here: the event, its leaf and the commitments in it. Must stay out: storage, clocks, and any value of a
person's data: an actor and a reason are committed to, never written into the leaf.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from secure_ml.audit.errors import AuditError

LEAF_FORMAT = 1

Outcome = Literal["allowed", "refused", "done", "failed"]
Detail = str | int | bool | list[str]
Committed = Literal["actor", "reason"]

_OUTCOMES = ("allowed", "refused", "done", "failed")
_NAME = re.compile(r"[a-z][a-z0-9_.]*")
# Beyond this, readers that hold numbers as doubles see another number (RFC 8785).
_EXACT_INTEGER = 2**53 - 1


@dataclass(frozen=True)
class AuditEvent:
    """One thing that was asked for or happened.

    Attributes:
        action: What, in lower case with dots: `dataset.read`.
        resource: On what: an asset key, a version id, a model name.
        outcome: `allowed` or `refused` for a decision, `done` or `failed` for its execution.
        actor: Who; kept beside the leaf, so that it can be erased.
        run_id: The run it belongs to, or "".
        details: Facts that name no person: digests, counts, column names, stages.
        reason: Free text of a human; kept beside the leaf, so that it can be erased.

    Raises:
        AuditError: A field has a form that the leaf cannot hold.
    """

    action: str
    resource: str
    outcome: Outcome
    actor: str
    run_id: str
    details: Mapping[str, Detail] = field(default_factory=dict)
    reason: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.action):
            raise AuditError("an action is lower-case letters, digits, dots and underscores, such as dataset.read")
        if self.outcome not in _OUTCOMES:
            raise AuditError(f"an outcome is one of {', '.join(_OUTCOMES)}")
        for text in (self.resource, self.actor):
            if not text:
                raise AuditError("an event names a resource and an actor")
        for name, value in self.details.items():
            if not _NAME.fullmatch(name):
                raise AuditError("a detail's name is lower-case letters, digits, dots and underscores")
            _require_detail(name, value)
        frozen = {name: list(value) if isinstance(value, list) else value for name, value in self.details.items()}
        object.__setattr__(self, "details", frozen)
        # Entries of several threads share a transaction: what cannot be encoded, or stored, must not come as far.
        if b"\\u0000" in _canonical(vars(self)):
            raise AuditError("an event holds no NUL character, which PostgreSQL does not store")


def encode_leaf(event: AuditEvent, *, entry_index: int, time: datetime, commitment_secret: bytes) -> bytes:
    """The canonical bytes of an event at its place in the log: JSON, sorted keys, no spaces, UTF-8.

    For the texts, integers and truth values that an event may hold this is RFC 8785.

    Args:
        event: What happened.
        entry_index: Its place; inside the leaf, so that a moved entry gives itself away.
        time: When, with a time zone.
        commitment_secret: The destroyable secret from which the salts of the commitments come.

    Raises:
        AuditError: The time has no zone, or a text is not valid Unicode.
    """
    if time.tzinfo is None:
        raise AuditError("the audit log's clock must give times with a zone")
    return _canonical(
        {
            "format": LEAF_FORMAT,
            "index": entry_index,
            "time": time.astimezone(UTC).isoformat(timespec="microseconds"),
            "action": event.action,
            "resource": event.resource,
            "outcome": event.outcome,
            "run_id": event.run_id,
            "details": event.details,
            "actor_commitment": commit("actor", event.actor, entry_index=entry_index, secret=commitment_secret),
            "reason_commitment": commit("reason", event.reason, entry_index=entry_index, secret=commitment_secret),
        }
    )


def commit(committed: Committed, text: str, *, entry_index: int, secret: bytes) -> str:
    """Commit to a text without showing it: HMAC-SHA-256 under a salt of this entry's and field's own, in hex.

    The salt is HKDF-SHA-256 of the secret. While the secret lives, its holder can check a guess; once it is
    destroyed, the commitment says nothing about the text. It never links two entries of one person.
    """
    info = b"secure_ml audit commitment v1\x00" + committed.encode() + b"\x00" + entry_index.to_bytes(8, "big")
    salt = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
    return hmac.new(salt, _utf8(text), hashlib.sha256).hexdigest()


def _require_detail(name: str, value: object) -> None:
    if isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if abs(value) > _EXACT_INTEGER:
            raise AuditError(f"detail {name}: an integer beyond 2^53 is written as text")
        return
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return
    raise AuditError(f"detail {name}: a detail is text, an integer, a truth value or a list of texts")


def _canonical(content: Mapping[str, object]) -> bytes:
    return _utf8(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise AuditError("an event's text is not valid Unicode; it holds half a surrogate pair") from None
