import json
from pathlib import Path

import pytest

from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.evaluation import Evaluation
from secure_ml.assessment.records import SUPPRESSED, Estimate
from secure_ml_tests.assessment.people import scored
from secure_ml_tests.assessment.whole import evaluation, people

VECTOR = Path(__file__).parent / "vectors" / "evaluation-1.json"


def test_an_evaluation_survives_json_and_its_bytes_are_stable() -> None:
    made = evaluation()
    text = made.to_json()
    assert Evaluation.from_json(text) == made
    assert Evaluation.from_json(text.encode()).to_json() == text


def test_the_same_rows_and_draws_give_the_same_bytes() -> None:
    assert evaluation(people()).to_json() == evaluation(people()).to_json()


def test_a_record_of_version_one_is_still_read() -> None:
    read = Evaluation.from_json(VECTOR.read_bytes())
    assert read.to_json() == VECTOR.read_text(encoding="utf-8").strip()
    assert isinstance(read.metric("auc"), Estimate)


def test_no_token_and_no_name_of_a_tiny_group_stands_in_it() -> None:
    text = evaluation().to_json()
    assert "token-" not in text
    assert "canary" not in text


def test_it_does_not_grow_with_rows() -> None:
    few, many = (len(evaluation(scored(rows)).to_json()) for rows in (1000, 10_000))
    assert many < 2 * few


def test_metrics_and_gaps_are_found_by_the_policys_names() -> None:
    made = evaluation()
    for name in ("auc", "accuracy", "f1", "log_loss", "expected_calibration_error", "backtest_auc"):
        assert isinstance(made.metric(name), Estimate), name
    assert made.metric("no such metric") is None
    assert isinstance(made.gap("colour", "equalized_odds_difference"), Estimate)
    assert made.gap("colour", "groups") is None
    assert made.gap("no such attribute", "equalized_odds_difference") is None
    assert evaluation(backtest=False).metric("backtest_auc") is None
    assert evaluation(scored(20), backtest=False).metric("auc") == SUPPRESSED


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"format": "secure_ml/evaluation/99"}, "reads secure_ml/evaluation/1 only", id="later version"),
        pytest.param({"format": None}, "reads secure_ml/evaluation/1 only", id="no version"),
        pytest.param({"project": 7}, "damaged at project", id="wrong type"),
        pytest.param({"surprise": "canary-value"}, "damaged at surprise", id="unknown field"),
        pytest.param({"performance": {"auc": "canary-value"}}, "damaged at performance", id="broken inside"),
    ],
)
def test_a_damaged_record_is_refused_without_its_values(change: dict[str, object], message: str) -> None:
    content = json.loads(evaluation().to_json()) | change
    with pytest.raises(AssessmentError, match=message) as refused:
        Evaluation.from_json(json.dumps(content))
    assert "canary-value" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize("text", ["", "no json", "[]", b"\xff", '{"format":"secure_ml/evaluation/1"}', '{"a":NaN}'])
def test_what_is_no_evaluation_is_refused(text: str | bytes) -> None:
    with pytest.raises(AssessmentError):
        Evaluation.from_json(text)


def test_a_figure_that_is_not_a_number_never_enters_the_record() -> None:
    with pytest.raises(ValueError, match="finite"):
        Estimate(value=float("nan"), low=0, high=1)


def test_counts_of_all_tables_leave_no_small_difference_to_the_total() -> None:
    rows = people()
    made = evaluation(rows)
    (compared,) = made.fairness
    for shown in ([g.rows for g in compared.groups], [p.rows for p in made.temporal.periods]):
        left = rows.rows - sum(count for count in shown if isinstance(count, int))
        assert left == 0 or left >= made.minimum_cell
