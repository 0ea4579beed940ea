"""The identity of a run: a signed, short-lived statement of who runs what where.

Belongs here: the ticket, its bytes and its verification. Must stay out: how the actor was authenticated.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Protocol

from secure_ml.access.stages import Stage

TICKET_KIND = "ticket.v2"
TICKET_TTL = timedelta(hours=24)


class TicketRefused(Exception):
    """A ticket that proves nothing here: missing, forged, expired, or for another run, holder, environment or stage."""


class TicketSigner(Protocol):
    """Signs tickets; the private key stays with the kernel."""

    def sign(self, message: bytes, *, kind: str) -> bytes:
        """A signature over `message`, bound to `kind`."""


class TicketVerifier(Protocol):
    """Verifies what a `TicketSigner` signed."""

    def verify(self, message: bytes, signature: bytes, *, kind: str) -> None:
        """Returns if the signature is genuine; raises otherwise."""


@dataclass(frozen=True)
class Ticket:
    """Who runs, what, where, until when, and whose process may show it.

    Attributes:
        actor: the authenticated name; in the profile `personal` the operating-system user, as `os-user:name`.
        run_id: the run that it is bound to.
        environment: the environment that it is bound to.
        project: the project that it is bound to.
        stages: the stages that the run was asked to make or to judge; it acts for no other.
        holder: login of the operating-system user whose processes may present it.
        expires: time after which it proves nothing, UTC.
    """

    actor: str
    run_id: str
    environment: str
    project: str
    stages: tuple[Stage, ...]
    holder: str
    expires: datetime

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        content = {**asdict(self), "expires": self.expires.isoformat()}
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class SignedTicket:
    """A ticket as it travels: bytes that nobody has verified yet."""

    unverified_body: bytes
    signature: bytes


def issue(
    *,
    actor: str,
    run_id: str,
    environment: str,
    project: str,
    stages: Collection[Stage],
    holder: str,
    now: datetime,
    signer: TicketSigner,
) -> SignedTicket:
    """A ticket that expires after `TICKET_TTL`."""
    in_order = tuple(stage for stage in Stage if stage in stages)
    body = Ticket(actor, run_id, environment, project, in_order, holder, now + TICKET_TTL).to_bytes()
    return SignedTicket(body, signer.sign(body, kind=TICKET_KIND))


def verify(
    ticket: SignedTicket, *, environment: str, project: str, holder: str, now: datetime, verifier: TicketVerifier
) -> Ticket:
    """The ticket, if it is genuine, fresh, for this environment and project, and this holder's to present.

    Raises:
        TicketRefused: it is expired, another holder's, or for another environment or project.
    """
    verifier.verify(ticket.unverified_body, ticket.signature, kind=TICKET_KIND)
    fields = json.loads(ticket.unverified_body)
    stages = tuple(Stage(stage) for stage in fields["stages"])
    verified = Ticket(**{**fields, "stages": stages, "expires": datetime.fromisoformat(fields["expires"])})
    if now >= verified.expires:
        raise TicketRefused("the run's ticket has expired; start the run again")
    if (verified.environment, verified.project) != (environment, project):
        raise TicketRefused("the run's ticket is for another environment or project; start a run there")
    if verified.holder != holder:
        raise TicketRefused("the run's ticket is another user's to present; start a run of your own")
    return verified
