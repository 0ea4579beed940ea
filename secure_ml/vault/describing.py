"""What stands in an installation, told by its kernel: manifests, verdicts, the log's state. No keys, no rows.

Belongs here: those messages and their answers. Must stay out: what a reader makes of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from secure_ml.access.decisions import Action, Resource
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.vault.kernel import KernelCore
from secure_ml.vault.manifest import Manifest
from secure_ml.vault.messages import Kernel, Message, Recorded
from secure_ml.vault.versions import Verdict, VersionStore


class DescribeProject(Message):
    """Asks for the heads of a project, and the verdicts on them."""

    environment: str
    project: str


class ProjectDescribed(Message):
    """Verified manifests by stage and partition, all verdicts on them, and how many entries the log has."""

    manifests: tuple[bytes, ...]
    verdicts: tuple[bytes, ...]
    log_entries: int


class VerifyLog(Message):
    """Asks the kernel to recompute the whole log, and to hold every head against it."""

    earlier_checkpoint: str | None


class LogVerified(Message):
    """What was recomputed: entries, their root, the newest checkpoint, and the manifest of every head."""

    entries: int
    root: bytes
    checkpoint: str
    manifests: tuple[bytes, ...]


class RecordDrafting(Message):
    """States that a source is about to be looked at for a drafted policy, before there is a project."""

    project: str


@dataclass(frozen=True)
class Description:
    """A project's heads with their verdicts, and the size of the log."""

    manifests: Sequence[Manifest]
    verdicts: Sequence[Verdict]
    log_entries: int

    def verdicts_on(self, manifest: Manifest) -> dict[str, Verdict]:
        """The verdicts on one version, by check."""
        return {verdict.check: verdict for verdict in self.verdicts if verdict.version_id == manifest.version_id}


def describe_project(kernel: Kernel, *, environment: str, project: str) -> Description:
    """What the kernel tells of a project.

    Raises:
        AccessRefused: whoever asks has no role that may see it.
        Tampered: a head or a verdict is not the one that the log knows.
    """
    answer = kernel.send(DescribeProject(environment=environment, project=project))
    if not isinstance(answer, ProjectDescribed):
        raise TypeError(f"the kernel answered {type(answer).__name__} where ProjectDescribed was due")
    return Description(
        [Manifest.from_bytes(body) for body in answer.manifests],
        [Verdict.from_bytes(body) for body in answer.verdicts],
        answer.log_entries,
    )


def register_description(kernel: KernelCore, *, log: AuditLog, versions: VersionStore) -> None:
    """Lets the kernel tell what stands, to whom its roles permit it."""

    def describe(request: DescribeProject) -> ProjectDescribed:
        kernel.admission.authorise(
            Action.STATUS_READ, Resource(request.environment, request.project), refusals_only=True
        )
        heads = versions.heads(environment=request.environment, project=request.project)
        verdicts = [verdict for head in heads for verdict in versions.verdicts(head.version_id).values()]
        return ProjectDescribed(
            manifests=tuple(head.to_bytes() for head in heads),
            verdicts=tuple(verdict.to_bytes() for verdict in verdicts),
            log_entries=log.size(),
        )

    def verify(request: VerifyLog) -> LogVerified:
        kernel.admission.authorise(Action.LOG_VERIFY, Resource(), refusals_only=True)
        verification = log.verify(earlier_checkpoint=request.earlier_checkpoint)
        return LogVerified(
            entries=verification.size,
            root=verification.root,
            checkpoint=log.checkpoint(),
            manifests=tuple(head.to_bytes() for head in versions.all_heads()),
        )

    def record_drafting(request: RecordDrafting) -> Recorded:
        actor, decision = kernel.admission.decide(Action.SOURCE_DRAFT, Resource())
        event = AuditEvent("source.draft", request.project, "allowed", actor.name, "", {}, decision.reason)
        return Recorded(audit_index=kernel.admission.conclude(event, decision))

    kernel.register(DescribeProject, describe)
    kernel.register(VerifyLog, verify)
    kernel.register(RecordDrafting, record_drafting)
