"""The kernel: decides, logs, verifies, and only then releases keys or moves a head.

Belongs here: which request goes to which part. Must stay out: data; the kernel sees manifests and keys, never a row.

Every request goes: verified identity, decision, durable entry in the log, verified version, passed checks, keys.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from secure_ml.access.decisions import Action, Request
from secure_ml.access.directory import Directory
from secure_ml.access.stages import WHOLE, Stage
from secure_ml.access.tickets import Ticket
from secure_ml.audit.log import AuditLog
from secure_ml.keys.custody import KeyCustody
from secure_ml.keys.signing import SigningKey
from secure_ml.policy.project import Policy
from secure_ml.vault import messages as m
from secure_ml.vault.admission import Admission
from secure_ml.vault.caller import Caller, answering
from secure_ml.vault.deriving import Deriving
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.judging import Judging
from secure_ml.vault.manifest import Address
from secure_ml.vault.opened import OpenedVersions
from secure_ml.vault.promotion_store import PromotionGate
from secure_ml.vault.reading import Reading
from secure_ml.vault.versions import VersionStore
from secure_ml.vault.writing import Writing

Handler = Callable[[Any], m.Message]


class KernelCore:
    """What answers requests, whoever carries them here.

    Args:
        log: the audit log.
        keys: the key store.
        signing_key: signs tickets, manifests and verdicts.
        versions: manifests, heads and verdicts.
        policy_of: the policy of a project, by name.
        directory: who is who.
        serves: whether it answers for an environment.
        gate: whether a project may run in an environment, as it is today.
        clock: gives UTC.

    Attributes:
        admission: lets requests in; the handlers of higher rooms use it too.
    """

    def __init__(
        self,
        *,
        log: AuditLog,
        keys: KeyCustody,
        signing_key: SigningKey,
        versions: VersionStore,
        policy_of: Callable[[str], Policy],
        directory: Directory,
        serves: Callable[[str], bool],
        gate: PromotionGate,
        clock: Callable[[], datetime],
    ) -> None:
        self.admission = Admission(
            log=log,
            signing_key=signing_key,
            policy_of=policy_of,
            directory=directory,
            serves=serves,
            gate=gate,
            clock=clock,
        )
        self._policy_of = policy_of
        self._opened = opened = OpenedVersions()
        reading = Reading(self.admission, log=log, keys=keys, versions=versions, policy_of=policy_of, opened=opened)
        self._writing = writing = Writing(
            self.admission, log=log, keys=keys, versions=versions, policy_of=policy_of, opened=opened, clock=clock
        )
        self._handlers: dict[type[m.Message], Handler] = {
            m.IssueTicket: self.admission.issue,
            m.RecordSource: self._record_source,
            m.OpenVersion: reading.open_version,
            m.ReleaseKeys: reading.release_keys,
            m.DescribeLineage: reading.describe_lineage,
            m.BeginWrite: writing.begin_write,
            m.CommitWrite: writing.commit_write,
            m.AbandonWrite: writing.abandon_write,
            m.DeriveKey: Deriving(self.admission, keys=keys).derive_key,
            m.RecordVerdict: Judging(self.admission, versions=versions).record_verdict,
        }

    @property
    def requests(self) -> dict[str, type[m.Message]]:
        """Every request that is answered here, by the name of its class."""
        return {request.__name__: request for request in self._handlers}

    def register(self, request: type[m.Message], handler: Handler) -> None:
        """Adds what a higher room answers, such as the budget ledger."""
        self._handlers[request] = handler

    def identify(
        self,
        request: m.Ticketed,
        action: str,
        resource: str,
        *,
        by: Stage | None = None,
        by_role: Action | None = None,
    ) -> Ticket:
        """The verified ticket of a request; see `Admission.identify`."""
        return self.admission.identify(request, action, resource, by=by, by_role=by_role)

    def answer(self, request: m.Message, caller: Caller) -> m.Message:
        """The answer to a request of this caller's.

        Raises:
            VaultError: the request is refused; the refusal is in the audit log.
        """
        handler = self._handlers.get(type(request))
        if handler is None:
            raise AccessRefused(f"{type(request).__name__} is no request that this kernel answers")
        with answering(caller):
            self.admission.require_served(getattr(request, "environment", ""), type(request).__name__)
            return handler(request)

    def disconnected(self, caller: Caller) -> None:
        """What is left of a caller's session is cleared away: no write waits for a process that has ended."""
        runs = self.admission.runs_of(caller.session)
        self._writing.abandon_runs(runs)
        for run_id in runs:
            self._opened.forget(run_id)

    def _record_source(self, request: m.RecordSource) -> m.Recorded:
        address = Address(request.environment, request.project, Stage.RAW, request.partition)
        asked = Request("write", Stage.RAW, Stage.RAW, (), WHOLE)
        ticket, index = self.admission.admit(request, "source.read", address, asked, by_role=Action.SOURCE_READ)
        if self._policy_of(request.project).source_of(request.environment) is None:
            error = AccessRefused(
                f"{request.environment} never reads the real table: declare a table of its own under "
                f"environments.{request.environment}.source in the policy of {request.project}"
            )
            self.admission.fail("source.read", address, ticket, error)
            raise error
        return m.Recorded(audit_index=index)


class InProcessKernel:
    """The kernel in the process of the run: what the profile `personal` has.

    Args:
        core: answers.
        login: the operating-system user whose process this is.
    """

    def __init__(self, core: KernelCore, *, login: str) -> None:
        self.core, self._caller = core, Caller(login, "in-process")

    def send(self, request: m.Message) -> m.Message:
        """See `messages.Kernel`."""
        return self.core.answer(request, self._caller)
