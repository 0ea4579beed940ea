import json

import pytest

from secure_ml.assessment.gates import judge, refusals
from secure_ml.policy.gates import FairnessGate, Gates, PerformanceGate
from secure_ml_tests.assessment.people import counted, scored
from secure_ml_tests.assessment.whole import evaluation

MADE = evaluation()
AUC = MADE.metric("auc").value
GAP = MADE.gap("colour", "demographic_parity_difference").value


@pytest.mark.parametrize(
    ("minimum", "maximum", "passed"),
    [
        (AUC, None, True),
        (AUC + 0.001, None, False),
        (None, AUC, True),
        (None, AUC - 0.001, False),
        (AUC - 0.1, AUC + 0.1, True),
        (AUC + 0.1, AUC + 0.2, False),
        (AUC - 0.2, AUC - 0.1, False),
    ],
)
def test_a_bound_is_met_up_to_and_including_itself(minimum: float | None, maximum: float | None, passed: bool) -> None:
    gate = PerformanceGate(metric="auc", minimum=minimum, maximum=maximum)
    (judgement,) = judge(MADE, Gates(performance=(gate,)))
    assert judgement.passed is passed
    assert judgement.value == AUC
    assert ("meets" if passed else "misses") in judgement.words


def test_a_fairness_gap_has_an_upper_bound_and_names_its_attribute() -> None:
    gates = Gates(
        fairness=tuple(
            FairnessGate(attribute="colour", metric="demographic_parity_difference", maximum=bound)
            for bound in (GAP, GAP - 0.001)
        )
    )
    met, missed = judge(MADE, gates)
    assert (met.passed, missed.passed) == (True, False)
    assert met.name == "demographic_parity_difference by colour"
    assert "too small to be compared: 1" in met.words


def test_there_is_one_judgement_for_each_gate_in_the_policys_order() -> None:
    gates = Gates(
        performance=(PerformanceGate(metric="f1", minimum=0.1), PerformanceGate(metric="auc", minimum=0.1)),
        fairness=(FairnessGate(attribute="colour", metric="equalized_odds_difference", maximum=1),),
    )
    assert [j.name for j in judge(MADE, gates)] == ["f1", "auc", "equalized_odds_difference by colour"]
    assert judge(MADE, Gates()) == ()


@pytest.mark.parametrize("blocking", [True, False])
def test_a_figure_that_is_missing_or_suppressed_never_passes(blocking: bool) -> None:
    few = evaluation(scored(20), backtest=False)
    one_group = evaluation(counted(amber=(100, 100), canary=(5, 5)), backtest=False)
    performance = Gates(
        performance=tuple(
            PerformanceGate(metric=metric, maximum=1e9, minimum=-1e9, blocking=blocking)
            for metric in ("auc", "backtest_auc")
        )
    )
    suppressed, missing = judge(few, performance)
    assert "suppressed" in suppressed.words
    assert "was not measured" in missing.words
    fairness = [
        judge(one_group, _gap_gate(attribute, blocking=blocking))[0] for attribute in ("colour", "never_measured")
    ]
    for judgement in (suppressed, missing, *fairness):
        assert judgement.passed is False
        assert judgement.value is None
        assert judgement.blocking is blocking
        assert (judgement in refusals((judgement,))) is blocking


def test_only_blocking_failures_refuse() -> None:
    gates = Gates(
        performance=(
            PerformanceGate(metric="auc", minimum=1.0, blocking=True),
            PerformanceGate(metric="auc", minimum=1.0, blocking=False),
            PerformanceGate(metric="auc", minimum=0.5, blocking=True),
        )
    )
    judgements = judge(MADE, gates)
    assert refusals(judgements) == judgements[:1]


def test_a_judgement_is_plain_json() -> None:
    (judgement,) = judge(MADE, _gap_gate("colour", blocking=True))
    assert json.loads(json.dumps(judgement.to_json()))["blocking"] is True


def _gap_gate(attribute: str, *, blocking: bool) -> Gates:
    gate = FairnessGate(attribute=attribute, metric="equalized_odds_difference", maximum=1, blocking=blocking)
    return Gates(fairness=(gate,))
