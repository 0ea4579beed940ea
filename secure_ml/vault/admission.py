"""Admission: verified identity, decision, and the durable entry in the log that precedes everything else.

Belongs here: who asks, whether they may, and that the log has it. Must stay out: what is done afterwards.
"""

from collections.abc import Callable
from datetime import datetime

from secure_ml.access.decisions import Request, decide
from secure_ml.access.tickets import SignedTicket, Ticket, TicketRefused, verify
from secure_ml.audit.event import Detail, Outcome
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.keys.errors import SignatureRefused
from secure_ml.keys.signing import SigningKey
from secure_ml.policy.project import Policy
from secure_ml.vault import messages as m
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.manifest import Address


class Admission:
    """Lets requests in, or refuses them; either way the log knows first.

    Args:
        log: the audit log.
        signing_key: signed the tickets.
        policy_of: the policy of a project, by name.
        clock: gives UTC.
    """

    def __init__(
        self,
        *,
        log: AuditLog,
        signing_key: SigningKey,
        policy_of: Callable[[str], Policy],
        clock: Callable[[], datetime],
    ) -> None:
        self._log, self._signing_key, self._policy_of, self._clock = log, signing_key, policy_of, clock

    def identify(self, request: m.Ticketed, action: str, resource: str) -> Ticket:
        """The verified ticket of a request.

        Raises:
            AccessRefused: it is forged, expired, or for another environment or project; the log has it.
        """
        signed = SignedTicket(request.ticket.body, request.ticket.signature)
        try:
            return verify(
                signed,
                environment=request.environment,
                project=request.project,
                now=self._clock(),
                verifier=self._signing_key.verification_key,
            )
        except (TicketRefused, SignatureRefused) as error:
            self._log.record(AuditEvent(action, resource, "refused", "unverified", "", {}, str(error)))
            raise AccessRefused(str(error)) from None

    def admit(self, request: m.Ticketed, action: str, address: Address, asked: Request) -> tuple[Ticket, int]:
        """Identity, decision, and the durable entry that precedes any key: the ticket, and the entry's index.

        Raises:
            AccessRefused: the ticket proves nothing, or the decision was no; the log has it.
        """
        ticket = self.identify(request, action, str(address))
        decision = decide(ticket, asked, self._policy_of(request.project))
        details: dict[str, Detail] = {"by": str(asked.by), "kind": asked.action}
        if asked.columns:
            details["columns"] = list(asked.columns)
        if asked.sections:
            details["sections"] = list(asked.sections)
        if asked.derivation:
            details["derivation"] = asked.derivation
        outcome: Outcome = "allowed" if decision.allowed else "refused"
        index = self._log.record(
            AuditEvent(action, str(address), outcome, ticket.actor, ticket.run_id, details, decision.reason)
        )
        if not decision.allowed:
            raise AccessRefused(f"{address}: {decision.reason}")
        return ticket, index

    def fail(self, action: str, address: Address, ticket: Ticket, error: Exception) -> None:
        """Writes into the log that what was admitted did not come to pass."""
        details: dict[str, Detail] = {"error": type(error).__name__}
        outcome: Outcome = "refused" if isinstance(error, AccessRefused) else "failed"
        self._log.record(AuditEvent(action, str(address), outcome, ticket.actor, ticket.run_id, details, str(error)))
