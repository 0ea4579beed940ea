"""The kernel: decides, logs, verifies, and only then releases keys or moves a head.

Belongs here: which request goes to which part. Must stay out: data; the kernel sees manifests and keys, never a row.

Every request goes: verified identity, decision, durable entry in the log, verified version, passed checks, keys.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from secure_ml.access.decisions import Request
from secure_ml.access.stages import WHOLE, Stage
from secure_ml.access.tickets import Ticket, issue
from secure_ml.audit.log import AuditLog
from secure_ml.keys.signing import SigningKey
from secure_ml.keys.store import KeyStore
from secure_ml.policy.project import Policy
from secure_ml.vault import messages as m
from secure_ml.vault.admission import Admission
from secure_ml.vault.deriving import Deriving
from secure_ml.vault.judging import Judging
from secure_ml.vault.manifest import Address
from secure_ml.vault.reading import Reading
from secure_ml.vault.versions import VersionStore
from secure_ml.vault.writing import Writing

Handler = Callable[[Any], m.Message]


class InProcessKernel:
    """The kernel in the process of the run: what the profile `personal` has.

    Args:
        log: the audit log.
        keys: the key store.
        signing_key: signs tickets, manifests and verdicts.
        versions: manifests, heads and verdicts.
        policy_of: the policy of a project, by name.
        user: authenticated name of the user whose process this is.
        clock: gives UTC.
    """

    def __init__(
        self,
        *,
        log: AuditLog,
        keys: KeyStore,
        signing_key: SigningKey,
        versions: VersionStore,
        policy_of: Callable[[str], Policy],
        user: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._signing_key, self._policy_of, self._user, self._clock = signing_key, policy_of, user, clock
        self._admission = Admission(log=log, signing_key=signing_key, policy_of=policy_of, clock=clock)
        reading = Reading(self._admission, log=log, keys=keys, versions=versions, policy_of=policy_of)
        writing = Writing(self._admission, log=log, keys=keys, versions=versions, policy_of=policy_of, clock=clock)
        self._handlers: dict[type[m.Message], Handler] = {
            m.IssueTicket: self._issue_ticket,
            m.RecordSource: self._record_source,
            m.OpenVersion: reading.open_version,
            m.ReleaseKeys: reading.release_keys,
            m.DescribeLineage: reading.describe_lineage,
            m.BeginWrite: writing.begin_write,
            m.CommitWrite: writing.commit_write,
            m.AbandonWrite: writing.abandon_write,
            m.DeriveKey: Deriving(self._admission, keys=keys).derive_key,
            m.RecordVerdict: Judging(self._admission, versions=versions).record_verdict,
        }

    def register(self, request: type[m.Message], handler: Handler) -> None:
        """Adds what a higher room answers, such as the budget ledger."""
        self._handlers[request] = handler

    def send(self, request: m.Message) -> m.Message:
        """See `messages.Kernel`."""
        return self._handlers[type(request)](request)

    def identify(self, request: m.Ticketed, action: str, resource: str) -> Ticket:
        """The verified ticket of a request; see `Admission.identify`."""
        return self._admission.identify(request, action, resource)

    def _issue_ticket(self, request: m.IssueTicket) -> m.TicketIssued:
        self._policy_of(request.project)
        signed = issue(
            actor=self._user,
            run_id=request.run_id,
            environment=request.environment,
            project=request.project,
            now=self._clock(),
            signer=self._signing_key,
        )
        return m.TicketIssued(body=signed.unverified_body, signature=signed.signature)

    def _record_source(self, request: m.RecordSource) -> m.Recorded:
        address = Address(request.environment, request.project, Stage.RAW, request.partition)
        _, index = self._admission.admit(
            request, "source.read", address, Request("write", Stage.RAW, Stage.RAW, (), WHOLE)
        )
        return m.Recorded(audit_index=index)
