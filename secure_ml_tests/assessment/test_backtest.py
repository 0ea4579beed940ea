import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from secure_ml.assessment.backtest import TemporalBacktest, backtest, population_stability_index
from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.records import SUPPRESSED, Estimate
from secure_ml.assessment.scored import Scored
from secure_ml_tests.assessment.people import CONTROL, scored

MONTHS = [f"2031-{month:02}" for month in range(1, 13)]


def _backtest(people: Scored, *, second: Scored | None = None, order: list[str] | None = None) -> TemporalBacktest:
    return backtest(
        people,
        second_model=second,
        order=order or MONTHS,
        control=CONTROL,
        resamples=100,
        generator=np.random.default_rng(5),
    )


def _in_periods(people: Scored, period: np.ndarray) -> Scored:
    return Scored(people.label, people.score, people.subject, period, people.groups)


def test_each_period_has_its_own_figures() -> None:
    people = scored(2400, periods=4)
    found = _backtest(people)
    assert [p.period for p in found.periods] == MONTHS[:4]
    assert found.reference == MONTHS[0]
    for period in found.periods:
        inside = people.period == period.period
        assert isinstance(period.auc, Estimate)
        assert period.auc.value == pytest.approx(roc_auc_score(people.label[inside], people.score[inside]), abs=6e-4)
        assert period.positive_rate == pytest.approx(people.label[inside].mean(), abs=6e-4)
        assert period.mean_score == pytest.approx(people.score[inside].mean(), abs=6e-4)
        assert period.rows == inside.sum()
    assert found.periods[0].population_stability_index == 0
    assert found.backtest_auc is None
    assert found.backtest_periods == ()


def test_periods_stand_in_the_projects_order_and_not_the_alphabets() -> None:
    people = scored(600)
    named = _in_periods(people, np.where(np.arange(600) < 300, "zulu", "alpha"))
    assert [p.period for p in _backtest(named, order=["zulu", "alpha"]).periods] == ["zulu", "alpha"]


def test_a_period_that_the_project_does_not_know_is_refused() -> None:
    with pytest.raises(AssessmentError, match="pass every partition key"):
        _backtest(scored(600), order=["2031-01"])


def test_a_small_period_is_suppressed_and_its_smallest_neighbour_too() -> None:
    period = np.repeat(MONTHS[:4], [5, 400, 300, 295])
    found = _backtest(_in_periods(scored(1000), period))
    assert [p.rows for p in found.periods] == [SUPPRESSED, 400, 300, SUPPRESSED]
    for hidden in (found.periods[0], found.periods[3]):
        assert set(hidden.model_dump(exclude={"period"}).values()) == {SUPPRESSED}
    assert found.reference == MONTHS[1]


def test_periods_that_are_all_small_show_nothing() -> None:
    found = _backtest(_in_periods(scored(60), np.repeat(MONTHS[:6], 10)))
    assert found.reference is None
    assert {p.rows for p in found.periods} == {SUPPRESSED}


def test_the_second_model_is_tried_on_the_later_periods_only() -> None:
    people = scored(3000, periods=6)
    later = people.only(np.isin(people.period, MONTHS[4:6]))
    found = _backtest(people, second=later)
    assert found.backtest_periods == ("2031-05", "2031-06")
    assert isinstance(found.backtest_auc, Estimate)
    assert found.backtest_auc.value == pytest.approx(roc_auc_score(later.label, later.score), abs=6e-4)
    assert found.backtest_auc.low < found.backtest_auc.value < found.backtest_auc.high


def test_a_second_model_on_few_people_is_suppressed() -> None:
    assert _backtest(scored(600), second=scored(25)).backtest_auc == SUPPRESSED


def test_a_second_model_on_one_class_is_refused() -> None:
    people = scored(600)
    with pytest.raises(AssessmentError, match="one class only"):
        _backtest(people, second=people.only(people.label))


def test_the_stability_index_is_the_known_one() -> None:
    reference = np.linspace(0, 1, 1000, endpoint=False)
    assert population_stability_index(reference, reference) == 0
    # Half of the first tenth moves into the last: two bins change from .1 to .05 and .15.
    moved = reference.copy()
    moved[:50] = 0.99
    expected = -0.05 * np.log(0.5) + 0.05 * np.log(1.5)
    assert population_stability_index(reference, moved) == pytest.approx(expected, rel=1e-3)


def test_a_shift_of_the_score_shows_in_the_stability_index() -> None:
    people = scored(2000, periods=2)
    shifted = np.where(people.period == MONTHS[1], np.minimum(people.score + 0.3, 1), people.score)
    found = _backtest(Scored(people.label, shifted, None, people.period, {}))
    index = found.periods[1].population_stability_index
    assert isinstance(index, float)
    assert index > 0.25


def test_a_constant_score_gives_a_finite_index() -> None:
    assert np.isfinite(population_stability_index(np.full(50, 0.5), np.full(50, 0.9)))
