"""The privacy budget is charged before training, is never overspent, and is not given back by a crash."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal

import pytest

from secure_ml.access.stages import Stage
from secure_ml.cli.opened import Opened, opened
from secure_ml.privacy.charge import BudgetError, BudgetExhausted
from secure_ml.privacy.charging import BudgetCharged, ChargeBudget
from secure_ml.vault import messages as m
from secure_ml.vault.errors import AccessRefused
from secure_ml_tests.fakes.loan_installation import (
    ENVIRONMENT,
    Attributes,
    LoanInstallation,
    add_project,
    failures,
    loan_installation,
    materialise_without_checks,
    run_until,
)  # fmt: skip

SPENDER, CRASHER = "spender", "crasher"

_CRASH = """
import os, signal, sys
from secure_ml.access.stages import Stage
from secure_ml.cli.opened import opened
from secure_ml.privacy.ledger import BudgetLedger
from secure_ml_tests.fakes.loan_installation import ENVIRONMENT, materialise_without_checks

charge = BudgetLedger.charge

def charge_and_die(ledger, **asked):
    charge(ledger, **asked)
    os.kill(os.getpid(), signal.SIGKILL)

BudgetLedger.charge = charge_and_die
with opened(ENVIRONMENT) as installation:
    materialise_without_checks(installation, sys.argv[1], [Stage.TRAINED])
"""


def allow_one_training(attributes: Attributes) -> None:
    attributes["training"]["estimator"] |= {"epsilon": 2, "budget": {"epsilon": 3, "delta": 0.00002}}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoanInstallation]:
    with loan_installation(tmp_path_factory.mktemp("budget")) as made:
        add_project(made, SPENDER, change=allow_one_training)
        add_project(made, CRASHER, change=allow_one_training)
        yield made


@pytest.fixture
def running(installed: LoanInstallation) -> Iterator[Opened]:
    with opened(ENVIRONMENT) as made:
        yield made


@pytest.fixture(scope="module")
def trained_once(installed: LoanInstallation) -> LoanInstallation:
    assert all(outcome.success for outcome in run_until(SPENDER, Stage.TRAINED))
    assert spent(installed, SPENDER) == 2
    return installed


def spent(installed: LoanInstallation, name: str) -> Decimal:
    return installed.installation().ledger.spent(f"{ENVIRONMENT}/{name}").epsilon


def test_the_second_training_is_refused_by_the_ledger_and_the_first_model_stays(
    trained_once: LoanInstallation, running: Opened
) -> None:
    before = trained_once.head(SPENDER, Stage.TRAINED)
    result = materialise_without_checks(running, SPENDER, [Stage.TRAINED])
    assert not result.success
    assert "the privacy budget does not allow this training" in failures(result)
    assert spent(trained_once, SPENDER) == 2
    assert trained_once.head(SPENDER, Stage.TRAINED) == before
    assert trained_once.log(SPENDER, "budget.charge")[-1].outcome == "refused"


def test_a_charge_stands_in_the_log_before_the_training_side_is_read(trained_once: LoanInstallation) -> None:
    entries = [
        entry.action
        for entry in trained_once.installation().log.entries()
        if entry.action == "budget.charge" or (entry.action == "version.read" and entry.details["by"] == "trained")
    ]
    assert entries[0] == "budget.charge"
    assert "version.read" in entries


def test_a_process_killed_between_charge_and_training_has_spent(installed: LoanInstallation) -> None:
    assert all(outcome.success for outcome in run_until(CRASHER, Stage.SPLIT))
    assert spent(installed, CRASHER) == 0
    died = subprocess.run([sys.executable, "-c", _CRASH, CRASHER], capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert spent(installed, CRASHER) == 2
    assert installed.head(CRASHER, Stage.TRAINED) is None
    with opened(ENVIRONMENT) as again:
        result = materialise_without_checks(again, CRASHER, [Stage.TRAINED])
    assert not result.success
    assert "the privacy budget does not allow this training" in failures(result)
    assert spent(installed, CRASHER) == 2


def ask(running: Opened, *, epsilon: str = "0.1", delta: str = "0", **forged: object) -> m.Message:
    kernel = running.installation.kernel
    where = {"environment": ENVIRONMENT, "project": SPENDER}
    ticket = kernel.send(m.IssueTicket(**where, run_id="forger", stages=tuple(Stage)))
    asked = {"ticket": ticket, **where, "epsilon": epsilon, "delta": delta, "description": "forged"}
    return kernel.send(ChargeBudget.model_validate(asked | forged))


@pytest.mark.parametrize(
    ("epsilon", "delta"),
    [
        ("-1", "0"),
        ("0", "0"),
        ("NaN", "0"),
        ("Infinity", "0"),
        ("1e-999999999", "0"),
        ("0.1", "-1"),
        ("1", "2"),
        ("much", "0"),
        ("", ""),
    ],
)
def test_a_message_cannot_give_budget_back_or_ask_for_nothing(
    trained_once: LoanInstallation, running: Opened, epsilon: str, delta: str
) -> None:
    with pytest.raises(BudgetError):
        ask(running, epsilon=epsilon, delta=delta)
    assert spent(trained_once, SPENDER) == 2


def test_a_message_beyond_the_limit_is_refused(trained_once: LoanInstallation, running: Opened) -> None:
    with pytest.raises(BudgetExhausted):
        ask(running, epsilon="1.000000001")
    assert spent(trained_once, SPENDER) == 2


@pytest.mark.parametrize("forged", ["body", "project", "signature"])
def test_a_message_under_another_ticket_is_refused_and_the_refusal_logged(
    trained_once: LoanInstallation, running: Opened, forged: str
) -> None:
    kernel = running.installation.kernel
    issued = kernel.send(m.IssueTicket(environment=ENVIRONMENT, project=SPENDER, run_id="forger", stages=tuple(Stage)))
    other = kernel.send(m.IssueTicket(environment=ENVIRONMENT, project=CRASHER, run_id="forger", stages=tuple(Stage)))
    assert isinstance(issued, m.TicketIssued)
    assert isinstance(other, m.TicketIssued)
    ticket = {
        "body": issued.model_copy(update={"body": issued.body.replace(b"forger", b"friend")}),
        "project": other,
        "signature": issued.model_copy(update={"signature": other.signature}),
    }[forged]
    with pytest.raises(AccessRefused):
        ask(running, ticket=ticket)
    assert trained_once.log(SPENDER, "budget.charge")[-1].outcome == "refused"
    assert spent(trained_once, SPENDER) == 2


def test_the_search_for_a_refusal_would_see_a_charge(trained_once: LoanInstallation, running: Opened) -> None:
    answer = ask(running, epsilon="0.25")
    assert isinstance(answer, BudgetCharged)
    assert answer.spent_epsilon in {"2.25", "2.250000000"}
