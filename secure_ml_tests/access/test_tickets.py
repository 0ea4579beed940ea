from datetime import UTC, datetime, timedelta

import pytest

from secure_ml.access.stages import Stage
from secure_ml.access.tickets import TICKET_TTL, SignedTicket, Ticket, TicketRefused, issue, verify

NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)


class Refused(Exception):
    pass


class Signer:
    """Signs by saying what it signed; the real one is tested with the keys."""

    def sign(self, message: bytes, *, kind: str) -> bytes:
        return kind.encode() + b" " + message

    def verify(self, message: bytes, signature: bytes, *, kind: str) -> None:
        if signature != self.sign(message, kind=kind):
            raise Refused


def issued() -> SignedTicket:
    return issue(
        actor="os-user:a",
        run_id="r",
        environment="training",
        project="clinic",
        stages=(Stage.MASKED, Stage.RAW),
        holder="runner",
        now=NOW,
        signer=Signer(),
    )


def verified(
    ticket: SignedTicket,
    *,
    environment: str = "training",
    project: str = "clinic",
    holder: str = "runner",
    now: datetime = NOW,
) -> Ticket:
    return verify(ticket, environment=environment, project=project, holder=holder, now=now, verifier=Signer())


def test_a_ticket_says_who_runs_what_where_and_until_when() -> None:
    assert verified(issued()) == Ticket(
        "os-user:a", "r", "training", "clinic", (Stage.RAW, Stage.MASKED), "runner", NOW + TICKET_TTL
    )


def test_a_ticket_expires() -> None:
    assert verified(issued(), now=NOW + TICKET_TTL - timedelta(microseconds=1))
    with pytest.raises(TicketRefused, match="expired"):
        verified(issued(), now=NOW + TICKET_TTL)


@pytest.mark.parametrize("where", [{"environment": "production"}, {"project": "loans"}])
def test_a_ticket_is_for_one_environment_and_project(where: dict[str, str]) -> None:
    with pytest.raises(TicketRefused, match="another environment or project"):
        verified(issued(), **where)


def test_a_ticket_is_its_holders_to_present() -> None:
    with pytest.raises(TicketRefused, match="another user's"):
        verified(issued(), holder="thief")


def test_a_changed_body_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(Refused):
        verified(SignedTicket(b"not even JSON", issued().signature))


def test_the_bytes_of_a_ticket_are_canonical() -> None:
    assert issued().unverified_body == (
        b'{"actor":"os-user:a","environment":"training","expires":"2031-05-02T12:00:00+00:00","holder":"runner",'
        b'"project":"clinic","run_id":"r","stages":["raw","masked"]}'
    )
