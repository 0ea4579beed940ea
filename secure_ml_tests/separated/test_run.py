"""A whole project in the profile `separated`: as four users, by the commands that its users type."""

import json
from collections.abc import Iterator

import pytest

from secure_ml_tests.fakes.separated import KERNEL_USER, PERSON, RUN_USER, Separated, add_loans, separated

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def ran() -> Iterator[Separated]:
    with separated(started=False) as made:
        project = add_loans(made)
        made.start()
        result = made.secure_ml("run", project)
        assert result.returncode == 0, result.stderr + result.stdout
        yield made


def test_every_stage_stands_and_its_checks_have_passed(ran: Separated) -> None:
    status = json.loads(ran.secure_ml("status", "--json").stdout)
    stages = status["projects"]["two_months"]["stages"]
    assert status["profile"] == "separated"
    assert [stages[stage]["versions"] for stage in stages] == [2, 2, 2, 1, 1, 1, 1]
    assert not any(stage["unchecked"] or stage["closed_by_checks"] for stage in stages.values())


def test_the_actor_is_the_person_and_the_judge_is_the_assessor(ran: Separated) -> None:
    entries = ran.log()
    assert {e["actor"] for e in entries if e["action"] == "version.commit"} == {"person:asha"}
    assert {e["actor"] for e in entries if e["action"] == "verdict.record"} == {"service:assessor"}


def test_no_user_but_the_kernels_reads_its_keys_or_its_state(ran: Separated) -> None:
    for login in (RUN_USER, PERSON):
        for name in ("keys/root.key", "keys/keys.db", "state/state.db"):
            tried = ran.as_user(login, f"open({str(ran.kernel_folder / name)!r}, 'rb')")
            assert "PermissionError" in tried.stderr
    assert ran.as_user(KERNEL_USER, f"open({str(ran.kernel_folder / 'state/state.db')!r}, 'rb')").returncode == 0
