import multiprocessing
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.audit.log import AuditLog
from secure_ml.privacy.ledger import BudgetError, BudgetExhausted, BudgetLedger, Charge, Spent
from secure_ml.state.database import State
from secure_ml_tests.audit.signers import SeededSigner


def _open(folder: Path) -> tuple[BudgetLedger, AuditLog]:
    state = State.open(f"sqlite:///{folder / 'state.db'}")
    log = AuditLog(
        state,
        SeededSigner(),
        origin="test/log",
        commitment_secret=b"s" * 32,
        clock=lambda: datetime(2024, 1, 2, tzinfo=UTC),
    )
    return BudgetLedger(state, log), log


def _charge(
    ledger: BudgetLedger,
    epsilon: str,
    delta: str = "1e-6",
    *,
    limit: str = "2",
    limit_delta: str = "1e-5",
    project: str = "p",
) -> Charge:
    return ledger.charge(
        project=project,
        epsilon=Decimal(epsilon),
        delta=Decimal(delta),
        limit_epsilon=Decimal(limit),
        limit_delta=Decimal(limit_delta),
        unit="subject",
        description="training",
        actor="asha",
        run_id="run-1",
    )


def test_charges_add_up_exactly_and_are_logged_with_them(tmp_path: Path) -> None:
    ledger, log = _open(tmp_path)
    made = [_charge(ledger, "0.1") for _ in range(10)]
    assert ledger.spent("p") == Spent(Decimal("1.0"), Decimal("0.00001"))
    assert made[-1].spent == ledger.spent("p")
    entries = {entry.entry_index: entry for entry in log.entries()}
    assert [entries[charge.audit_index].action for charge in made] == ["budget.charge"] * 10
    assert entries[made[2].audit_index].details["spent_epsilon"] == "0.3"
    assert len({charge.charge_id for charge in made}) == 10


def test_the_last_unit_can_be_spent_and_nothing_after_it(tmp_path: Path) -> None:
    ledger, _ = _open(tmp_path)
    _charge(ledger, "1.999999999")
    _charge(ledger, "0.000000001")
    with pytest.raises(BudgetExhausted):
        _charge(ledger, "0.000000001")


def test_a_refusal_says_what_is_left_and_what_to_do_and_is_logged(tmp_path: Path) -> None:
    ledger, log = _open(tmp_path)
    _charge(ledger, "1.5")
    with pytest.raises(BudgetExhausted, match=r"asked epsilon 1 .*spent 1\.5 .*left 0\.5 .*lower training") as caught:
        _charge(ledger, "1")
    assert "asha" not in str(caught.value)
    assert ledger.spent("p").epsilon == Decimal("1.5")
    last = list(log.entries())[-1]
    assert (last.action, last.outcome, last.details["epsilon"]) == ("budget.charge", "refused", "1")


def test_delta_alone_can_exhaust_the_budget(tmp_path: Path) -> None:
    ledger, _ = _open(tmp_path)
    _charge(ledger, "0.1", "6e-6")
    with pytest.raises(BudgetExhausted):
        _charge(ledger, "0.1", "6e-6")


def test_amounts_are_rounded_up_and_limits_down(tmp_path: Path) -> None:
    ledger, _ = _open(tmp_path)
    made = _charge(ledger, "0.0000000001", "1e-25")
    assert (made.epsilon, made.delta) == (Decimal("1e-9"), Decimal("1e-18"))
    with pytest.raises(BudgetExhausted):
        _charge(ledger, "0.5000000001", limit="0.5000000009", project="q")


def test_projects_have_budgets_of_their_own(tmp_path: Path) -> None:
    ledger, _ = _open(tmp_path)
    _charge(ledger, "2")
    _charge(ledger, "2", project="q")
    assert ledger.spent("unknown") == Spent(Decimal("0"), Decimal("0"))


def test_a_raised_limit_is_logged_and_holds(tmp_path: Path) -> None:
    ledger, log = _open(tmp_path)
    _charge(ledger, "2")
    _charge(ledger, "1", limit="3")
    limits = [entry.details["epsilon"] for entry in log.entries() if entry.action == "budget.limit"]
    assert limits == ["2", "3"]


def test_a_charge_outlives_the_process_that_made_it(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_charge_and_die, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    ledger, _ = _open(tmp_path)
    assert ledger.spent("p").epsilon == Decimal("1.5")
    with pytest.raises(BudgetExhausted):
        _charge(ledger, "1.5")


def _charge_and_die(folder: Path) -> None:
    import os

    _charge(_open(folder)[0], "1.5")
    os._exit(9)


def test_processes_at_once_cannot_overspend(tmp_path: Path) -> None:
    _open(tmp_path)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_spend_greedily, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    ledger, log = _open(tmp_path)
    assert ledger.spent("p").epsilon == Decimal("2.0")
    outcomes = [entry.outcome for entry in log.entries() if entry.action == "budget.charge"]
    assert (outcomes.count("done"), outcomes.count("refused")) == (20, 10)


def _spend_greedily(folder: Path) -> None:
    ledger, _ = _open(folder)
    for _ in range(10):
        try:
            _charge(ledger, "0.1", "1e-8")
        except BudgetExhausted:
            continue


@given(
    st.lists(
        st.tuples(st.decimals("0.000000001", "1.5", places=9), st.decimals("0", "0.00001", places=12)), max_size=12
    )
)
@settings(max_examples=15, deadline=None)
def test_no_sequence_of_charges_exceeds_the_limit(charges: list[tuple[Decimal, Decimal]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger, _ = _open(Path(folder))
        epsilon = delta = Decimal(0)
        for asked_epsilon, asked_delta in charges:
            fits = epsilon + asked_epsilon <= 2 and delta + asked_delta <= Decimal("1e-5")
            try:
                _charge(ledger, str(asked_epsilon), str(asked_delta))
            except BudgetExhausted:
                assert not fits
            else:
                assert fits
                epsilon, delta = epsilon + asked_epsilon, delta + asked_delta
            assert ledger.spent("p") == Spent(epsilon, delta)


@pytest.mark.parametrize(
    ("epsilon", "delta"), [("-1", "0"), ("0", "1e-6"), ("NaN", "0"), ("Infinity", "0"), ("1", "-1e-9"), ("1", "2")]
)
def test_amounts_that_mean_nothing_are_refused(tmp_path: Path, epsilon: str, delta: str) -> None:
    ledger, _ = _open(tmp_path)
    with pytest.raises(BudgetError):
        _charge(ledger, epsilon, delta)
    assert ledger.spent("p").epsilon == 0
