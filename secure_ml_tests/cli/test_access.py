"""`secure-ml access`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from secure_ml.access.roles import shipped_roles
from secure_ml.cli import access
from secure_ml_tests.access.test_matrix import GOLDEN
from secure_ml_tests.cli.conftest import write_small_project
from secure_ml_tests.cli.terminal import Said, Terminal
from secure_ml_tests.fakes.appointed_people import AppointedPeople, make_appointed_people
from secure_ml_tests.fakes.small_project import PROJECT

As = Callable[..., Said]
ASKED = ("--column", "income", "--column", "email", "--reason", "two rows fail the schema", "--hours", "2")


@pytest.fixture
def people(tmp_path: Path) -> AppointedPeople:
    return make_appointed_people(tmp_path)


@pytest.fixture
def as_user(people: AppointedPeople, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> As:
    """Types a command as the user with a login; the kernel knows them by it, as it would over its socket."""

    def typed(login: str, *arguments: str) -> Said:
        monkeypatch.setattr(access, "open_state", lambda: people.client_of(login))
        return terminal("access", *arguments)

    return typed


def test_the_matrix_needs_no_installation_and_is_the_golden(terminal: Terminal) -> None:
    said = terminal("access", "matrix")
    digest = f"\nroles.yaml  SHA-256 {shipped_roles().digest}\n"
    assert (said.code, said.err, said.out) == (0, "", GOLDEN.read_text(encoding="utf-8") + digest)
    assert not terminal.home.exists()


def test_the_matrix_of_one_environment_for_programs(terminal: Terminal) -> None:
    told = terminal("access", "matrix", "--environment", "production", "--json").json
    assert told["roles_sha256"] == shipped_roles().digest
    assert set(told["never"]) == {"data_protection_officer", "auditor", "admin"}
    assert {"role", "action", "on", "categories", "environments", "condition"} == set(told["permissions"][0])
    for permission in told["permissions"]:
        assert permission["environments"] == [] or "production" in permission["environments"]
    assert not any(p["role"] == "data_scientist" and p["action"] == "run.start" for p in told["permissions"])


def test_an_unknown_environment_is_refused(terminal: Terminal) -> None:
    assert terminal("access", "matrix", "--environment", "staging").code == 2


def test_a_grant_goes_from_request_to_revocation(people: AppointedPeople, as_user: As) -> None:
    asked = as_user("scientist", "request", PROJECT, *ASKED)
    assert (asked.code, asked.err) == (0, "")
    assert "training/clinic/raw: email, income" in asked.out
    assert "asked for by person:scientist-1" in asked.out
    [listed] = as_user("steward", "list", PROJECT, "--json").json["grants"]
    assert (listed["requested_by"], listed["approved_by"], listed["hours"]) == ("person:scientist-1", "", 2)
    approved = as_user("steward", "approve", PROJECT, listed["grant_id"], "--json").json
    assert (approved["approved_by"], approved["expires"]) == ("person:steward-1", "2031-05-01T14:00:00+00:00")
    revoked = as_user("dpo", "revoke", PROJECT, listed["grant_id"])
    assert revoked.out.startswith(f"revoked  {listed['grant_id']}\n")
    assert "approved by person:steward-1, until 2031-05-01 14:00 UTC" in revoked.out
    assert "revoked by person:dpo-1 at 2031-05-01 12:00 UTC" in revoked.out
    assert as_user("scientist", "list", PROJECT, "--own").out == as_user("auditor", "list", PROJECT).out == revoked.out


def test_refusals_are_one_line_and_an_exit_code(as_user: As) -> None:
    asked = as_user("scientist", "request", PROJECT, *ASKED, "--json").json
    for login, words in (
        ("scientist", "grant.approve needs another person"),
        ("colleague", "grant.approve of raw in training is not among what the role data_scientist allows"),
        ("keeper", "grant.approve is never for admin, whatever other roles the actor has"),
    ):
        said = as_user(login, "approve", PROJECT, asked["grant_id"])
        assert (said.code, said.out) == (1, "")
        assert words in said.err
        assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("request", PROJECT, "--column", "income", "--reason", "r", "--hours", "73"),
        ("request", PROJECT, "--column", "income", "--reason", "r", "--stage", "masced"),
        ("request", PROJECT, "--column", "income", "--reason", "r", "--environment", "staging"),
        ("request", PROJECT, "--reason", "r"),
        ("approve", PROJECT),
    ],
)
def test_what_is_asked_for_wrongly_is_told_before_the_kernel_is_asked(as_user: As, arguments: tuple[str, ...]) -> None:
    assert as_user("scientist", *arguments).code == 2


def test_no_grants_are_told_as_such(as_user: As) -> None:
    assert as_user("steward", "list", PROJECT).out == "no grants\n"


def test_a_personal_installation_has_nobody_who_could_approve(terminal: Terminal) -> None:
    write_small_project(terminal)
    said = terminal("access", "request", PROJECT, *ASKED)
    assert said.code == 1
    assert "needs a second person; the only user of a personal installation has none" in said.err
