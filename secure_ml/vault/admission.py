"""Admission: verified identity, decision, and the durable entry in the log that precedes everything else.

Belongs here: who asks, whether they may, and that the log has it. Must stay out: what is done afterwards.
"""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from secure_ml.access.actors import Actor
from secure_ml.access.decisions import Action, Context, Decision, Request, Resource, decide, within_run
from secure_ml.access.directory import ASSESSOR, DISPATCHER, SCHEDULE, SENSOR, Directory
from secure_ml.access.stages import Stage
from secure_ml.access.tickets import TICKET_TTL, SignedTicket, Ticket, TicketRefused, issue, verify
from secure_ml.audit.event import Detail, Outcome
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.keys.errors import SignatureRefused
from secure_ml.keys.signing import SigningKey
from secure_ml.policy.project import Policy
from secure_ml.policy.source import PARTITION_PATTERN
from secure_ml.vault import messages as m
from secure_ml.vault.caller import current_caller
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.manifest import Address, project_place
from secure_ml.vault.promotion_store import PromotionGate

_NOBODY = "unverified"
_STRANGER = Actor(_NOBODY, frozenset())
_REMEMBERED_RUNS = 100_000
"""Runs whose sessions are remembered before those with an expired ticket are forgotten."""

_BY_ROLE: Mapping[str, Action] = MappingProxyType({"write": Action.VERSION_WRITE, "derive_key": Action.KEY_DERIVE})
"""What the roles of a run's actor must permit beyond starting it; what a run reads follows from the graph."""

_DELEGATED = frozenset({SENSOR, SCHEDULE})


class Admission:
    """Lets requests in, or refuses them; either way the log knows first.

    Args:
        log: the audit log.
        signing_key: signs the tickets.
        policy_of: the policy of a project, by name.
        directory: who is who.
        serves: whether this kernel answers for an environment.
        gate: whether a project may run in an environment, as it is today.
        clock: gives UTC.
    """

    def __init__(
        self,
        *,
        log: AuditLog,
        signing_key: SigningKey,
        policy_of: Callable[[str], Policy],
        directory: Directory,
        serves: Callable[[str], bool],
        gate: PromotionGate,
        clock: Callable[[], datetime],
    ) -> None:
        self._log, self._signing_key, self._policy_of, self._clock = log, signing_key, policy_of, clock
        self.directory, self._serves, self._gate = directory, serves, gate
        self._started = clock()
        self._sessions: dict[tuple[str, str], tuple[str, datetime]] = {}
        self._lock = threading.Lock()

    def require_served(self, environment: str, request: str) -> None:
        """Returns if this kernel answers for an environment, or none is named.

        Raises:
            AccessRefused: another kernel does; the log has it.
        """
        if environment and not self._serves(environment):
            actor = self.directory.of_login(current_caller().login) or _STRANGER
            reason = f"this kernel does not answer for {environment}; ask the one that does"
            details: dict[str, Detail] = {"request": request}
            self._log.record(AuditEvent("kernel.ask", environment, "refused", actor.name, "", details, reason))
            raise AccessRefused(reason)

    def authorise(
        self,
        action: Action,
        resource: Resource,
        *,
        details: Mapping[str, Detail] | None = None,
        context: Context | None = None,
        refusals_only: bool = False,
    ) -> tuple[Actor, int]:
        """Whoever is at the other end, once they may do this and the log has it: the actor, and the entry's index.

        Args:
            action: what is asked for.
            resource: on what.
            details: facts for the log that name no person.
            context: what else the decision depends on.
            refusals_only: keep permissions out of the log, where neither data nor keys are told; the index is then -1.

        Raises:
            AccessRefused: the caller is nobody that the directory knows, or the decision was no; the log has it.
        """
        actor, decision = self.decide(action, resource, context=context)
        if decision.allowed and refusals_only:
            return actor, -1
        event = AuditEvent(action, _named(resource), "allowed", actor.name, "", dict(details or {}), decision.reason)
        return actor, self.conclude(event, decision)

    def decide(self, action: Action, resource: Resource, *, context: Context | None = None) -> tuple[Actor, Decision]:
        """Who is at the other end, and whether they may; nothing is in the log yet."""
        actor = self.directory.of_login(current_caller().login)
        if actor is None:
            return _STRANGER, Decision(False, "this user of the operating system is no actor here: see actors.yaml")
        return actor, decide(actor, action, resource, context or Context(now=self._clock()))

    def conclude(self, event: AuditEvent, decision: Decision) -> int:
        """Writes a decision into the log, and returns the entry's index if it was yes.

        Raises:
            AccessRefused: it was no; the log has it.
        """
        if decision.allowed:
            return self._log.record(event)
        self._log.record(replace(event, outcome="refused", reason=decision.reason))
        raise AccessRefused(f"{event.resource}: {decision.reason}")

    def issue(self, request: m.IssueTicket) -> m.TicketIssued:
        """The identity of a run, if its actor may start it; the log has it either way.

        Raises:
            AccessRefused: the actor may not, or the caller may not start runs for it.
        """
        caller = current_caller()
        place = project_place(request.environment, request.project)
        code_digest = self._gate.code_digest()
        details: dict[str, Detail] = {
            "run": request.run_id,
            "stages": [str(stage) for stage in request.stages],
            "code": code_digest,
        }
        actor, decision = self._starter(request, caller.login)
        if decision.allowed and actor.name != ASSESSOR:
            place_of = {"environment": request.environment, "project": request.project}
            refusal = self._gate.refusal(**place_of, code_digest=code_digest)
            decision = Decision(False, refusal) if refusal else decision
        holder = caller.login if decision.allowed and actor.name == ASSESSOR else None
        holder = holder or self.directory.run_user(request.environment)
        if decision.allowed and holder is None:
            decision = Decision(False, f"there is no environment {request.environment} here")
        outcome: Outcome = "allowed" if decision.allowed else "refused"
        self._log.record(AuditEvent("run.start", place, outcome, actor.name, request.run_id, details, decision.reason))
        if not decision.allowed or holder is None:
            raise AccessRefused(f"{place}: {decision.reason}")
        signed = issue(
            actor=actor.name,
            run_id=request.run_id,
            environment=request.environment,
            project=request.project,
            stages=request.stages,
            holder=holder,
            now=self._clock(),
            signer=self._signing_key,
        )
        return m.TicketIssued(body=signed.unverified_body, signature=signed.signature)

    def _starter(self, request: m.IssueTicket, login: str) -> tuple[Actor, Decision]:
        """Who starts the run, and whether they may."""
        asking = self.directory.of_login(login)
        if asking is None:
            return _STRANGER, Decision(False, "this user of the operating system is no actor here")
        actor = asking
        if request.on_behalf_of:
            named = self.directory.named(request.on_behalf_of) if request.on_behalf_of in _DELEGATED else None
            if named is None or not (asking.name == DISPATCHER or self.directory.run_may_judge_itself):
                return asking, Decision(False, "the caller starts no runs on behalf of this identity")
            actor = named
        elif asking.name == DISPATCHER:
            return asking, Decision(False, "nobody asks for this run in person: sign in, or let a sensor start it")
        self._policy_of(request.project)
        return actor, self._may_run(actor, request.environment, request.project, request.stages)

    def _may_run(self, actor: Actor, environment: str, project: str, stages: tuple[Stage, ...]) -> Decision:
        action = Action.VERSION_ASSESS if actor.name == ASSESSOR else Action.RUN_START
        context = Context(now=self._clock(), purpose=self._policy_of(project).purpose)
        return decide(actor, action, Resource(environment, project, stages=stages), context)

    def identify(
        self,
        request: m.Ticketed,
        action: str,
        resource: str,
        *,
        by: Stage | None = None,
        by_role: Action | None = None,
    ) -> Ticket:
        """The verified ticket of a request.

        Args:
            request: the request.
            action: what it asks for, for the log.
            resource: on what, for the log.
            by: the stage that it acts for, which the ticket must name.
            by_role: what the actor's roles must permit for that stage.

        Raises:
            AccessRefused: it is missing, forged, expired, another process's, for another environment, project or stage,
                or its actor has lost the role since; the log has it.
        """
        signed = SignedTicket(request.ticket.body, request.ticket.signature)
        who, run_id = _NOBODY, ""
        try:
            ticket = verify(
                signed,
                environment=request.environment,
                project=request.project,
                holder=current_caller().login,
                now=self._clock(),
                verifier=self._signing_key.verification_key,
            )
            who, run_id = ticket.actor, ticket.run_id
            self._require_issued_since_start(ticket)
            self._require_same_process(ticket)
            if by is not None and by not in ticket.stages:
                raise TicketRefused(f"the run's ticket does not name the stage {by}; start a run that does")
            self._require_entitled(ticket)
            if by is not None and by_role is not None and not (decision := self._by_role(ticket, by_role, by)).allowed:
                raise TicketRefused(decision.reason)
        except (TicketRefused, SignatureRefused) as error:
            self._log.record(AuditEvent(action, resource, "refused", who, run_id, {}, str(error)))
            raise AccessRefused(str(error)) from None
        return ticket

    def admit(
        self, request: m.Ticketed, action: str, address: Address, asked: Request, *, by_role: Action | None = None
    ) -> tuple[Ticket, int]:
        """Identity, decision, and the durable entry that precedes any key: the ticket, and the entry's index.

        Args:
            request: the request.
            action: what it asks for, for the log.
            address: on what.
            asked: the same, for the graph of the stages.
            by_role: the action that the actor's roles must permit, where it does not follow from `asked`.

        Raises:
            AccessRefused: the ticket proves nothing, or the decision was no; the log has it.
        """
        ticket = self.identify(request, action, str(address), by=asked.by)
        decision = self._permitted(ticket, asked, request.project, by_role)
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

    def _permitted(self, ticket: Ticket, asked: Request, project: str, by_role: Action | None) -> Decision:
        """Whether both permit it: the actor's roles, and the graph of the stages."""
        action = by_role or _BY_ROLE.get(asked.action)
        if action is not None:
            decision = self._by_role(ticket, action, asked.by)
            if not decision.allowed:
                return decision
        return self._within_run(ticket, asked, project)

    def _by_role(self, ticket: Ticket, action: Action, by: Stage) -> Decision:
        actor = self.directory.named(ticket.actor)
        if actor is None:
            return Decision(False, "the actor of the run's ticket is known here no longer")
        place = Resource(ticket.environment, ticket.project, stages=(by,))
        return decide(actor, action, place, Context(now=self._clock()))

    def _within_run(self, ticket: Ticket, asked: Request, project: str) -> Decision:
        if not self.directory.run_may_judge_itself and (asked.action == "assess") != (ticket.actor == ASSESSOR):
            return Decision(False, "a run judges no version, and whoever judges does nothing else")
        return within_run(ticket, asked, self._policy_of(project))

    def _require_issued_since_start(self, ticket: Ticket) -> None:
        """Which process showed a ticket first is known to this kernel only: of those of an earlier one nobody knows."""
        if not self.directory.run_may_judge_itself and ticket.expires - TICKET_TTL < self._started:
            raise TicketRefused("the kernel was started again since the run's ticket was issued; start the run again")

    def _require_same_process(self, ticket: Ticket) -> None:
        """Whoever reads a ticket somewhere cannot use it beside the process that it was made for."""
        session, now = current_caller().session, self._clock()
        with self._lock:
            held_by, _ = self._sessions.setdefault((ticket.run_id, ticket.project), (session, ticket.expires))
            if len(self._sessions) > _REMEMBERED_RUNS:
                self._sessions = {run: held for run, held in self._sessions.items() if held[1] > now}
        if held_by != session:
            raise TicketRefused("the run's ticket is in use by another process; start a run of your own")

    def runs_of(self, session: str) -> frozenset[str]:
        """Ids of the runs whose tickets this session showed."""
        with self._lock:
            return frozenset(run_id for (run_id, _), (held_by, _) in self._sessions.items() if held_by == session)

    def _require_entitled(self, ticket: Ticket) -> None:
        """A role that was taken away is gone at once, not when the ticket expires."""
        actor = self.directory.named(ticket.actor)
        if actor is None:
            raise TicketRefused("the actor of the run's ticket is known here no longer")
        decision = self._may_run(actor, ticket.environment, ticket.project, ticket.stages)
        if not decision.allowed:
            raise TicketRefused(f"the actor of the run's ticket may start it no longer: {decision.reason}")


def _named(resource: Resource) -> str:
    """The resource's name in the log."""
    parts = [part for part in (resource.environment, resource.project, str(resource.stage or "")) if part]
    # Whoever asks may have sent anything as a name: the log is for ever.
    return "/".join(part if re.fullmatch(PARTITION_PATTERN, part) else "unknown" for part in parts) or "installation"
