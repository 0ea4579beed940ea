"""Grants behind the kernel's interface: asked for, approved, revoked and listed by message, in the person's own name.

Belongs here: the messages and their handlers. Must stay out: the rules (decisions) and the rows (grant_store).
"""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from secure_ml.access.actors import Actor
from secure_ml.access.decisions import Action, Context, Resource
from secure_ml.access.grants import Grant, GrantRefused
from secure_ml.access.stages import Stage
from secure_ml.audit.event import Detail
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.guard.redaction import Redactor
from secure_ml.policy.project import Policy
from secure_ml.vault.admission import Admission
from secure_ml.vault.caller import current_caller
from secure_ml.vault.errors import AccessRefused, NothingThere
from secure_ml.vault.grant_store import GrantStore
from secure_ml.vault.messages import Kernel, Message

if TYPE_CHECKING:
    from secure_ml.vault.kernel import KernelCore


class RequestGrant(Message):
    """Asks, for oneself, to look at columns outside a run."""

    environment: str
    project: str
    stage: Stage
    columns: tuple[str, ...]
    purpose: str
    hours: int
    reason: str


class ApproveGrant(Message):
    """Agrees to another's request; its hours begin."""

    environment: str
    project: str
    grant_id: str


class RevokeGrant(Message):
    """Ends a grant, or refuses a request."""

    environment: str
    project: str
    grant_id: str


class ListGrants(Message):
    """Asks for the grants of a project, or for one's own only."""

    environment: str
    project: str
    own: bool


class GrantChanged(Message):
    """The grant as it stands now; see `access.grants`."""

    grant: bytes
    audit_index: int


class GrantsListed(Message):
    """The grants, in the order in which they last changed."""

    grants: tuple[bytes, ...]
    audit_index: int


def change_grant(kernel: Kernel, request: RequestGrant | ApproveGrant | RevokeGrant) -> Grant:
    """The grant as it stands after the request.

    Raises:
        VaultError: the request is refused, or there is no such grant.
    """
    answer = kernel.send(request)
    if not isinstance(answer, GrantChanged):
        raise TypeError(f"the kernel answered {type(answer).__name__} where GrantChanged was due")
    return Grant.from_bytes(answer.grant)


def list_grants(kernel: Kernel, *, environment: str, project: str, own: bool) -> tuple[Grant, ...]:
    """The grants of a project, or one's own only, in the order in which they last changed.

    Raises:
        VaultError: whoever asks may not see them, or one was tampered with.
    """
    answer = kernel.send(ListGrants(environment=environment, project=project, own=own))
    if not isinstance(answer, GrantsListed):
        raise TypeError(f"the kernel answered {type(answer).__name__} where GrantsListed was due")
    return tuple(Grant.from_bytes(body) for body in answer.grants)


class Granting:
    """Answers what concerns grants.

    Args:
        admission: who asks, and whether they may.
        log: the audit log.
        grants: the stored grants.
        policy_of: the policy of a project, by name.
        clock: gives UTC.
    """

    def __init__(
        self,
        admission: Admission,
        *,
        log: AuditLog,
        grants: GrantStore,
        policy_of: Callable[[str], Policy],
        clock: Callable[[], datetime],
    ) -> None:
        self._admission, self._log, self._grants = admission, log, grants
        self._policy_of, self._clock = policy_of, clock

    def request(self, request: RequestGrant) -> GrantChanged:
        """Stores the request; it gives nothing until another person approves it."""
        policy = self._policy_of(request.project)
        resource = Resource(request.environment, request.project, request.stage, purpose=policy.purpose)
        now = self._clock()
        context = Context(now, purpose=request.purpose)
        actor, _ = self._admission.authorise(Action.GRANT_REQUEST, resource, context=context)
        try:
            if not set(request.columns) <= set(policy.columns):
                raise GrantRefused("a grant names columns that the project's policy declares; one is not among them")
            grant = Grant(
                grant_id=secrets.token_hex(16),
                environment=request.environment,
                project=request.project,
                stage=request.stage,
                columns=tuple(sorted(set(request.columns))),
                purpose=request.purpose,
                hours=request.hours,
                requested_by=actor.name,
                requested_at=now,
                # Whoever writes a reason may name the person whose row they want to see.
                reason=Redactor().redact(request.reason.strip()),
            )
        except GrantRefused as error:
            raise self._failed(Action.GRANT_REQUEST, resource, actor, error) from None
        return self._changed(grant, Action.GRANT_REQUEST, actor, reason=grant.reason)

    def approve(self, request: ApproveGrant) -> GrantChanged:
        """Opens the grant for its hours, if another person asked for it."""
        grant, actor = self._of_another(request, Action.GRANT_APPROVE)
        try:
            if grant.purpose != self._policy_of(grant.project).purpose:
                raise GrantRefused("the policy's purpose is another one since this was asked for; ask for a new grant")
            approved = grant.approved(by=actor.name, now=self._clock())
        except GrantRefused as error:
            raise self._failed(Action.GRANT_APPROVE, _resource(grant), actor, error) from None
        return self._changed(approved, Action.GRANT_APPROVE, actor)

    def revoke(self, request: RevokeGrant) -> GrantChanged:
        """Closes the grant for good."""
        grant, actor = self._of_another(request, Action.GRANT_REVOKE)
        try:
            revoked = grant.revoked(by=actor.name, now=self._clock())
        except GrantRefused as error:
            raise self._failed(Action.GRANT_REVOKE, _resource(grant), actor, error) from None
        return self._changed(revoked, Action.GRANT_REVOKE, actor)

    def list(self, request: ListGrants) -> GrantsListed:
        """The project's grants, all or those of whoever asks."""
        self._policy_of(request.project)
        asking = self._admission.directory.of_login(current_caller().login)
        own = frozenset({asking.name}) if request.own and asking is not None else frozenset[str]()
        context = Context(self._clock(), made_by=own)
        resource = Resource(request.environment, request.project)
        actor, index = self._admission.authorise(
            Action.GRANT_LIST, resource, context=context, details={"own": request.own}
        )
        found = self._grants.of(environment=request.environment, project=request.project)
        shown = tuple(g.to_bytes() for g in found if not request.own or g.requested_by == actor.name)
        return GrantsListed(grants=shown, audit_index=index)

    def _of_another(self, request: ApproveGrant | RevokeGrant, action: Action) -> tuple[Grant, Actor]:
        """The grant that is meant, and whoever may do this to it.

        Whether there is such a grant is told only to those who may.
        """
        self._policy_of(request.project)
        grant = self._grants.find(request.grant_id, environment=request.environment, project=request.project)
        asked_by = "nobody" if grant is None else grant.requested_by
        resource = Resource(request.environment, request.project) if grant is None else _resource(grant)
        context = Context(self._clock(), made_by=frozenset({asked_by}))
        details: dict[str, Detail] = {} if grant is None else {"grant_id": grant.grant_id}
        actor, _ = self._admission.authorise(action, resource, context=context, details=details)
        if grant is None:
            missing = NothingThere(f"there is no such grant in {request.environment}/{request.project}")
            raise self._failed(action, resource, actor, missing)
        return grant, actor

    def _changed(self, grant: Grant, action: Action, actor: Actor, *, reason: str = "") -> GrantChanged:
        details: dict[str, Detail] = {
            "grant_id": grant.grant_id,
            "columns": list(grant.columns),
            "hours": grant.hours,
        }
        event = AuditEvent(action, _place(_resource(grant)), "done", actor.name, "", details, reason)
        placed = self._grants.record(grant, event=event)
        return GrantChanged(grant=placed.to_bytes(), audit_index=placed.audit_index)

    def _failed(self, action: Action, resource: Resource, actor: Actor, error: Exception) -> Exception:
        details: dict[str, Detail] = {"error": type(error).__name__}
        self._log.record(AuditEvent(action, _place(resource), "failed", actor.name, "", details, str(error)))
        return AccessRefused(str(error)) if isinstance(error, GrantRefused) else error


def register_grants(
    kernel: "KernelCore",
    *,
    log: AuditLog,
    grants: GrantStore,
    policy_of: Callable[[str], Policy],
    clock: Callable[[], datetime],
) -> None:
    """Lets the kernel answer for grants."""
    granting = Granting(kernel.admission, log=log, grants=grants, policy_of=policy_of, clock=clock)
    kernel.register(RequestGrant, granting.request)
    kernel.register(ApproveGrant, granting.approve)
    kernel.register(RevokeGrant, granting.revoke)
    kernel.register(ListGrants, granting.list)


def _resource(grant: Grant) -> Resource:
    return Resource(grant.environment, grant.project, grant.stage)


def _place(resource: Resource) -> str:
    parts = (resource.environment, resource.project, str(resource.stage or ""))
    return "/".join(part for part in parts if part)
