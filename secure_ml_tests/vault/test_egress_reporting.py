"""What a run tried to reach is in the log, and where to is not."""

import json

import pytest

from secure_ml.audit.log import AuditEntry
from secure_ml.guard.egress import Attempt
from secure_ml.vault.egress_reporting import ReportEgress
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.messages import Recorded, TicketIssued
from secure_ml_tests.fakes.json_kernel import JsonKernel
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, SmallProject


def report(project: SmallProject, attempt: Attempt) -> AuditEntry:
    door = project.through(JsonKernel).door()
    door.send(ReportEgress, Recorded, kind=attempt.kind, host=attempt.host, port=attempt.port)
    return project.log("egress.attempt")[-1]


@pytest.mark.parametrize(
    ("attempt", "destination"),
    [
        (Attempt("look_up", "9876-5432-1098.evil.example"), "a name"),
        (Attempt("connect", "198.51.100.7", 443), "a private address"),
        (Attempt("connect", "93.184.216.34", 443), "a public address"),
        (Attempt("connect", "2606:2800:220:1::1", 443), "a public address"),
        (Attempt("connect", "169.254.169.254", 80), "a link-local address"),
        (Attempt("listen", "0.0.0.0", 8080), "every address"),
        (Attempt("listen", ""), "no address"),
        (Attempt("program", "curl"), "curl"),
        (Attempt("symbol", "connect"), "connect"),
        (Attempt("program", "Asha Rao 9876 5432 1098"), "another program"),
    ],
    ids=str,
)
def test_an_attempt_is_in_the_log_without_its_destination(
    checked_project: SmallProject, attempt: Attempt, destination: str
) -> None:
    entry = report(checked_project, attempt)

    assert (entry.outcome, entry.run_id, entry.resource) == ("refused", "run-1", f"{ENVIRONMENT}/{PROJECT}")
    assert (entry.details["kind"], entry.details["destination"]) == (attempt.kind, destination)
    assert entry.details.get("port") == attempt.port
    if attempt.host and attempt.host != destination:
        assert attempt.host not in json.dumps(dict(entry.details)) + str(entry.reason)


def test_the_same_host_has_the_same_code_and_another_another(checked_project: SmallProject) -> None:
    first, second, other = (
        report(checked_project, Attempt("look_up", host)).details["host_code"]
        for host in ("a.evil.example", "a.evil.example", "b.evil.example")
    )
    assert first == second != other
    assert len(str(first)) == 32


def test_a_report_needs_a_ticket_that_proves_something(checked_project: SmallProject) -> None:
    forged = TicketIssued(body=b"{}", signature=b"x")
    place = {"environment": ENVIRONMENT, "project": PROJECT}
    with pytest.raises(AccessRefused):
        checked_project.kernel.send(ReportEgress(ticket=forged, **place, kind="connect", host="x", port=1))
    assert checked_project.log("egress.attempt") == []
    assert checked_project.log("egress.report")[-1].outcome == "refused"


def test_a_message_does_not_show_the_host(checked_project: SmallProject) -> None:
    forged = TicketIssued(body=b"{}", signature=b"x")
    place = {"environment": ENVIRONMENT, "project": PROJECT}
    assert "evil" not in repr(ReportEgress(ticket=forged, **place, kind="look_up", host="evil.example", port=None))
