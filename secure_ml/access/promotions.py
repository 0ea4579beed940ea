"""Promotions: a project, as it is, may run in the next environment, by what it came to in the one before.

Belongs here: the evidence, the promotion, and their bytes. Must stay out: who may record one (decisions), storage,
clocks.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Self

from secure_ml.access.actions import Environment

EVIDENCE_KIND = "promotion-evidence.v1"
PROMOTION_KIND = "promotion.v1"
_EVIDENCE_FORMAT = "secure_ml/promotion-evidence/1"
_PROMOTION_FORMAT = "secure_ml/promotion/1"

BEFORE: Mapping[str, str] = MappingProxyType(
    {Environment.TRAINING: Environment.TEST, Environment.PRODUCTION: Environment.TRAINING}
)
"""The environments that a project is promoted to, each with the one whose evidence counts."""


class PromotionRefused(Exception):
    """A project that cannot be promoted as it stands; the text says why."""


class PromotionUnreadable(Exception):
    """The bytes are not of a known format."""


@dataclass(frozen=True)
class EvidenceVersion:
    """One version that stood when the evidence was given, with its checks passed."""

    stage: str
    partition: str
    version_id: str
    digest: str


@dataclass(frozen=True)
class Evidence:
    """What a project came to in an environment, as that environment's kernel attests.

    Attributes:
        environment: where.
        project: of what.
        policy_digest: SHA-256 of the policy.
        code_digest: SHA-256 of the code under which every run of it was started; see `release.package_digest`.
        versions: the registered model's version and all that it was made from, by stage and partition.
        warned: checks of these that warned, as `stage.check`.
        made_by: the actors of the runs, sorted.
        attested_at: UTC.
        audit_index: the entry in the log of whoever attests it.
    """

    environment: str
    project: str
    policy_digest: str
    code_digest: str
    versions: tuple[EvidenceVersion, ...]
    warned: tuple[str, ...]
    made_by: tuple[str, ...]
    attested_at: datetime
    audit_index: int

    def to_bytes(self) -> bytes:
        """Canonical JSON, format secure_ml/promotion-evidence/1."""
        return _canonical({"format": _EVIDENCE_FORMAT, **self._content()})

    @classmethod
    def from_bytes(cls, verified: bytes) -> Self:
        """The inverse of `to_bytes`; the signature must have been verified before.

        Raises:
            PromotionUnreadable: the bytes are of another format.
        """
        return cls._of(_parsed(verified, _EVIDENCE_FORMAT))

    def _content(self) -> dict[str, Any]:
        return {**asdict(self), "attested_at": self.attested_at.isoformat()}

    @classmethod
    def _of(cls, content: dict[str, Any]) -> Self:
        fixed = {
            "versions": tuple(EvidenceVersion(**version) for version in content["versions"]),
            "warned": tuple(content["warned"]),
            "made_by": tuple(content["made_by"]),
            "attested_at": datetime.fromisoformat(content["attested_at"]),
        }
        return cls(**{**content, **fixed})


@dataclass(frozen=True)
class Promotion:
    """The permission for a project to run in an environment, with this policy and this code.

    Attributes:
        promotion_id: 32 hexadecimal digits.
        environment: where it may run.
        evidence: what it came to in the environment before.
        attested_by: verifier key of whoever attests the evidence; see `keys.signing`.
        recorded_by: the actor who lets it in, who made none of the evidence's runs; in the profile `personal` its only
            user.
        recorded_at: UTC.
        audit_index: the log entry that recorded it.
    """

    promotion_id: str
    environment: str
    evidence: Evidence
    attested_by: str
    recorded_by: str
    recorded_at: datetime
    audit_index: int = -1

    @property
    def project(self) -> str:
        """The project."""
        return self.evidence.project

    def is_for(self, *, policy_digest: str, code_digest: str) -> bool:
        """Whether it is of the project as it is today."""
        return (self.evidence.policy_digest, self.evidence.code_digest) == (policy_digest, code_digest)

    def to_bytes(self) -> bytes:
        """Canonical JSON, format secure_ml/promotion/1."""
        content = {**vars(self), "evidence": self.evidence._content(), "recorded_at": self.recorded_at.isoformat()}
        return _canonical({"format": _PROMOTION_FORMAT, **content})

    @classmethod
    def from_bytes(cls, verified: bytes) -> Self:
        """The inverse of `to_bytes`; the signature must have been verified before.

        Raises:
            PromotionUnreadable: the bytes are of another format.
        """
        content = _parsed(verified, _PROMOTION_FORMAT)
        fixed = {
            "evidence": Evidence._of(content["evidence"]),
            "recorded_at": datetime.fromisoformat(content["recorded_at"]),
        }
        return cls(**{**content, **fixed})


def _canonical(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _parsed(verified: bytes, wanted: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(verified)
    if content.pop("format", None) != wanted:
        raise PromotionUnreadable(f"the bytes are not of the format {wanted}; a newer secure_ml may have written them")
    return content
