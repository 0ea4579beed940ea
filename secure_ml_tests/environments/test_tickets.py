"""A ticket serves the runs of one environment, whose user alone can present it."""

from dataclasses import replace
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.installation import Installation
from secure_ml.policy.projects import find_projects
from secure_ml.settings import read_settings
from secure_ml.vault import messages as m
from secure_ml.vault.caller import Caller
from secure_ml.vault.errors import AccessRefused
from secure_ml_tests.fakes.small_project import PROJECT, attributes, write_policy

ACTORS = "actors:\n  person:engineer-1: {roles: [data_engineer], logins: [engineer]}\n"
RUN_USERS = {"development": "dev-run", "training": "training-run"}


@pytest.fixture
def kernel(tmp_path: Path) -> Installation:
    """One kernel for two environments, whose runs are two users'."""
    content = attributes()
    content["environments"] = {"development": {"source": {"format": "csv", "path": "invented.csv"}}}
    write_policy(tmp_path / "defs" / PROJECT, content)
    (tmp_path / "actors.yaml").write_text(ACTORS, encoding="utf-8")
    settings = read_settings({"SECURE_ML_HOME": str(tmp_path / "home"), "SECURE_ML_KEYS": str(tmp_path / "keys")})
    appointed = replace(settings, actors=tmp_path / "actors.yaml", run_users=RUN_USERS)
    return Installation(appointed, find_projects((tmp_path / "defs",)))


def issue(kernel: Installation, environment: str) -> m.TicketIssued:
    asked = m.IssueTicket(environment=environment, project=PROJECT, run_id="run-1", stages=(Stage.RAW,))
    answer = kernel.core.answer(asked, Caller("engineer", "person"))
    assert isinstance(answer, m.TicketIssued)
    return answer


def present(kernel: Installation, ticket: m.TicketIssued, *, environment: str, login: str) -> m.Message:
    asked = m.RecordSource(ticket=ticket, environment=environment, project=PROJECT, partition="")
    return kernel.core.answer(asked, Caller(login, "run"))


@pytest.mark.parametrize("environment", ["development", "training"])
def test_the_runs_user_of_the_environment_presents_its_ticket(kernel: Installation, environment: str) -> None:
    shown = present(kernel, issue(kernel, environment), environment=environment, login=RUN_USERS[environment])
    assert isinstance(shown, m.Recorded)


@pytest.mark.parametrize(
    ("issued_for", "presented_in", "login", "said"),
    [
        ("training", "training", "dev-run", "another user's to present"),
        ("development", "development", "training-run", "another user's to present"),
        ("development", "training", "dev-run", "for another environment or project"),
        ("development", "training", "training-run", "for another environment or project"),
        ("training", "development", "training-run", "for another environment or project"),
        ("training", "training", "engineer", "another user's to present"),
    ],
)
def test_a_ticket_is_refused_in_another_environment_and_from_another_user(
    kernel: Installation, issued_for: str, presented_in: str, login: str, said: str
) -> None:
    ticket = issue(kernel, issued_for)
    with pytest.raises(AccessRefused, match=said):
        present(kernel, ticket, environment=presented_in, login=login)


def test_an_environment_without_a_user_for_its_runs_is_none_here(kernel: Installation) -> None:
    with pytest.raises(AccessRefused, match="there is no environment production here"):
        issue(kernel, "production")
