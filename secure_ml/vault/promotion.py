"""Promotion behind the kernel's interface: the kernel of one environment attests, that of the next one records.

Belongs here: the messages and their handlers. Must stay out: the records (access), the rows (promotion_store), and the
rules of who may (decisions).
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from secure_ml.access.decisions import Action, Context, Resource
from secure_ml.access.promotions import (
    BEFORE,
    EVIDENCE_KIND,
    Evidence,
    EvidenceVersion,
    Promotion,
    PromotionRefused,
    PromotionUnreadable,
)
from secure_ml.access.stages import CHECKS, Stage
from secure_ml.audit.event import Detail
from secure_ml.audit.log import AuditEntry, AuditEvent, AuditLog
from secure_ml.audit.merkle import Frontier
from secure_ml.keys.errors import SignatureRefused
from secure_ml.keys.signing import SigningKey, VerificationKey
from secure_ml.policy.project import Policy
from secure_ml.vault.errors import AccessRefused, VaultError
from secure_ml.vault.governing import require_current
from secure_ml.vault.manifest import Address, Manifest
from secure_ml.vault.messages import Kernel, Message
from secure_ml.vault.promotion_store import PromotionGate
from secure_ml.vault.versions import VersionStore

if TYPE_CHECKING:
    from secure_ml.vault.kernel import KernelCore

_PAGE = 10_000


class AttestEvidence(Message):
    """Asks what a project came to in an environment."""

    environment: str
    project: str


class EvidenceAttested(Message):
    """The evidence's bytes, signed, see `access.promotions`; and the verifier key, to be compared and then trusted."""

    evidence: bytes
    signature: bytes
    verifier_key: str
    audit_index: int


class RecordPromotion(Message):
    """Asks that a project may run in an environment, on the evidence of the one before."""

    environment: str
    project: str
    evidence: bytes
    signature: bytes


class PromotionRecorded(Message):
    """The promotion; see `access.promotions`."""

    promotion: bytes
    audit_index: int


class ListPromotions(Message):
    """Asks for the promotions of a project to an environment."""

    environment: str
    project: str


class PromotionsListed(Message):
    """The promotions, the oldest first; and what a project of today is told by."""

    promotions: tuple[bytes, ...]
    policy_digest: str
    code_digest: str


def attest(kernel: Kernel, *, environment: str, project: str) -> EvidenceAttested:
    """What the kernel attests of a project in an environment.

    Raises:
        VaultError: whoever asks may not see it, or the project did not come to the end there as it is today.
    """
    answer = kernel.send(AttestEvidence(environment=environment, project=project))
    if not isinstance(answer, EvidenceAttested):
        raise TypeError(f"the kernel answered {type(answer).__name__} where EvidenceAttested was due")
    return answer


def promote(kernel: Kernel, *, environment: str, project: str, evidence: bytes, signature: bytes) -> Promotion:
    """The promotion that the kernel has recorded.

    Raises:
        VaultError: whoever asks may not, or the evidence does not suffice.
    """
    asked = RecordPromotion(environment=environment, project=project, evidence=evidence, signature=signature)
    answer = kernel.send(asked)
    if not isinstance(answer, PromotionRecorded):
        raise TypeError(f"the kernel answered {type(answer).__name__} where PromotionRecorded was due")
    return Promotion.from_bytes(answer.promotion)


def list_promotions(kernel: Kernel, *, environment: str, project: str) -> tuple[tuple[Promotion, bool], ...]:
    """The promotions of a project, the oldest first, each with whether it is of the project as it is today.

    Raises:
        VaultError: whoever asks may not see them, or one was tampered with.
    """
    answer = kernel.send(ListPromotions(environment=environment, project=project))
    if not isinstance(answer, PromotionsListed):
        raise TypeError(f"the kernel answered {type(answer).__name__} where PromotionsListed was due")
    found = (Promotion.from_bytes(body) for body in answer.promotions)
    today = {"policy_digest": answer.policy_digest, "code_digest": answer.code_digest}
    return tuple((promotion, promotion.is_for(**today)) for promotion in found)


class Promoting:
    """Answers what concerns promotions.

    Args:
        kernel: lets requests in.
        log: the audit log.
        versions: manifests, heads and verdicts.
        gate: the stored promotions, and the code of today.
        signing_key: signs evidence.
        attestors: verifier keys of other kernels whose evidence is believed.
        policy_of: the policy of a project, by name.
        clock: gives UTC.
    """

    def __init__(
        self,
        kernel: "KernelCore",
        *,
        log: AuditLog,
        versions: VersionStore,
        gate: PromotionGate,
        signing_key: SigningKey,
        attestors: Iterable[VerificationKey],
        policy_of: Callable[[str], Policy],
        clock: Callable[[], datetime],
    ) -> None:
        self._admission, self._log, self._versions, self._gate = kernel.admission, log, versions, gate
        self._signing_key, self._attestors = signing_key, (signing_key.verification_key, *attestors)
        self._policy_of, self._clock = policy_of, clock

    def attest(self, request: AttestEvidence) -> EvidenceAttested:
        """Evidence of the registered model and of all that it was made from."""
        resource = Resource(request.environment, request.project)
        actor, _ = self._admission.authorise(Action.LINEAGE_READ, resource, details={"for": "promotion"})
        policy = self._policy_of(request.project)
        try:
            if request.environment not in BEFORE.values():
                raise PromotionRefused(f"nothing is promoted from {request.environment}")
            manifests = self._lineage(request.environment, request.project, policy)
            versions = tuple(_version(manifest) for manifest in manifests)
            made_by, code_digest = self._runs({manifest.run_id for manifest in manifests})
        except (VaultError, PromotionRefused) as error:
            raise self._failed("promotion.attest", resource, actor.name, error) from None
        details: dict[str, Detail] = {
            "versions": [version.version_id for version in versions],
            "policy_digest": policy.digest,
            "code_digest": code_digest,
        }
        place = f"{request.environment}/{request.project}"
        index = self._log.record(AuditEvent("promotion.attest", place, "done", actor.name, "", details))
        evidence = Evidence(
            environment=request.environment,
            project=request.project,
            policy_digest=policy.digest,
            code_digest=code_digest,
            versions=versions,
            warned=tuple(sorted(self._warned(manifests))),
            made_by=made_by,
            attested_at=self._clock(),
            audit_index=index,
        ).to_bytes()
        return EvidenceAttested(
            evidence=evidence,
            signature=self._signing_key.sign(evidence, kind=EVIDENCE_KIND),
            verifier_key=self._signing_key.verification_key.encode(),
            audit_index=index,
        )

    def record(self, request: RecordPromotion) -> PromotionRecorded:
        """Stores the promotion, by somebody who made none of the runs."""
        resource = Resource(request.environment, request.project)
        verified = self._verified(request.evidence, request.signature)
        made_by = {"nobody"} if isinstance(verified, PromotionRefused) else set(verified[0].made_by)
        context = Context(self._clock(), made_by=frozenset(made_by))
        actor, _ = self._admission.authorise(Action.PROMOTION_RECORD, resource, context=context)
        try:
            if isinstance(verified, PromotionRefused):
                raise verified
            evidence, attested_by = verified
            self._require_today(evidence, request)
        except PromotionRefused as error:
            raise self._failed(Action.PROMOTION_RECORD, resource, actor.name, error) from None
        promotion = Promotion(
            promotion_id=secrets.token_hex(16),
            environment=request.environment,
            evidence=evidence,
            attested_by=attested_by.encode(),
            recorded_by=actor.name,
            recorded_at=self._clock(),
        )
        details: dict[str, Detail] = {
            "promotion_id": promotion.promotion_id,
            "policy_digest": evidence.policy_digest,
            "code_digest": evidence.code_digest,
            "versions": [version.version_id for version in evidence.versions],
        }
        place = f"{request.environment}/{request.project}"
        event = AuditEvent(Action.PROMOTION_RECORD, place, "done", actor.name, "", details)
        placed = self._gate.store.record(promotion, event=event)
        return PromotionRecorded(promotion=placed.to_bytes(), audit_index=placed.audit_index)

    def promotions(self, request: ListPromotions) -> PromotionsListed:
        """The promotions of a project."""
        resource = Resource(request.environment, request.project)
        self._admission.authorise(Action.STATUS_READ, resource, refusals_only=True)
        found = self._gate.store.of(environment=request.environment, project=request.project)
        return PromotionsListed(
            promotions=tuple(promotion.to_bytes() for promotion in found),
            policy_digest=self._policy_of(request.project).digest,
            code_digest=self._gate.code_digest(),
        )

    def _lineage(self, environment: str, project: str, policy: Policy) -> list[Manifest]:
        """The registered head and all that it was made from, each of today's policy and with its checks passed."""
        head, _ = self._versions.head(Address(environment, project, Stage.REGISTERED, ""))
        found, waiting = {head.version_id: head}, list(head.parents)
        while waiting:
            version_id = waiting.pop()
            if version_id not in found:
                found[version_id], _ = self._versions.manifest(version_id)
                waiting += found[version_id].parents
        for manifest in found.values():
            require_current(manifest, policy)
            self._versions.require_passed(manifest, CHECKS[Stage(manifest.address.stage)])
        order = list(Stage)
        return sorted(found.values(), key=lambda m: (order.index(Stage(m.address.stage)), m.address.partition))

    def _warned(self, manifests: Iterable[Manifest]) -> Iterator[str]:
        for manifest in manifests:
            for verdict in self._versions.verdicts(manifest.version_id).values():
                if not verdict.passed:
                    yield f"{manifest.address.stage}.{verdict.check}"

    def _runs(self, run_ids: set[str]) -> tuple[tuple[str, ...], str]:
        """Who started these runs, and the one code that all of them were started with: today's.

        Raises:
            PromotionRefused: a run was started with other code, or who started it is known no longer.
        """
        actors, codes, known = set(), set(), set()
        for entry in self._entries():
            if (entry.action, entry.outcome) == ("run.start", "allowed") and entry.run_id in run_ids:
                known.add(entry.run_id)
                codes.add(str(entry.details.get("code", "")))
                if entry.actor is None:
                    raise PromotionRefused("who made a run of the evidence was erased from the log; make the run again")
                actors.add(entry.actor)
        today = self._gate.code_digest()
        if known != run_ids or codes != {today}:
            raise PromotionRefused(
                "a version of the evidence was made with other code than today's; materialise all stages again"
            )
        return tuple(sorted(actors)), today

    def _entries(self) -> Iterator[AuditEntry]:
        after = Frontier()
        while True:
            page, after = self._log.signed_page(after=after, limit=_PAGE)
            if not page:
                return
            yield from page

    def _verified(self, evidence: bytes, signature: bytes) -> tuple[Evidence, VerificationKey] | PromotionRefused:
        """The evidence and whose it is; or why it is none."""
        for key in self._attestors:
            try:
                key.verify(evidence, signature, kind=EVIDENCE_KIND)
                return Evidence.from_bytes(evidence), key
            except SignatureRefused:
                continue
            except PromotionUnreadable as error:
                return PromotionRefused(str(error))
        return PromotionRefused(
            "the evidence bears the signature of no kernel that is believed here; name its verifier key in "
            "SECURE_ML_ATTESTORS"
        )

    def _require_today(self, evidence: Evidence, request: RecordPromotion) -> None:
        before = BEFORE.get(request.environment)
        if before is None:
            raise PromotionRefused(f"nothing is promoted to {request.environment}; there are: {', '.join(BEFORE)}")
        if (evidence.environment, evidence.project) != (before, request.project):
            raise PromotionRefused(f"the evidence is not of {before}/{request.project}")
        if evidence.policy_digest != self._policy_of(request.project).digest:
            raise PromotionRefused("the evidence is of another policy than today's; run it again and promote that")
        if evidence.code_digest != self._gate.code_digest():
            raise PromotionRefused(
                "the evidence is of other code than is installed here: install that, or run it again"
            )

    def _failed(self, action: str, resource: Resource, actor: str, error: Exception) -> Exception:
        place, details = f"{resource.environment}/{resource.project}", {"error": type(error).__name__}
        self._log.record(AuditEvent(action, place, "failed", actor, "", details, str(error)))
        return AccessRefused(str(error)) if isinstance(error, PromotionRefused) else error


def register_promotion(
    kernel: "KernelCore",
    *,
    log: AuditLog,
    versions: VersionStore,
    gate: PromotionGate,
    signing_key: SigningKey,
    attestors: Iterable[VerificationKey],
    policy_of: Callable[[str], Policy],
    clock: Callable[[], datetime],
) -> None:
    """Lets the kernel answer for promotions."""
    promoting = Promoting(
        kernel,
        log=log,
        versions=versions,
        gate=gate,
        signing_key=signing_key,
        attestors=attestors,
        policy_of=policy_of,
        clock=clock,
    )
    kernel.register(AttestEvidence, promoting.attest)
    kernel.register(RecordPromotion, promoting.record)
    kernel.register(ListPromotions, promoting.promotions)


def _version(manifest: Manifest) -> EvidenceVersion:
    return EvidenceVersion(
        str(manifest.address.stage), manifest.address.partition, manifest.version_id, manifest.digest
    )
