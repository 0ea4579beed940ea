import itertools
import time

import numpy as np
import pytest
from sklearn import metrics

from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.performance import Performance, measure, measure_auc
from secure_ml.assessment.records import SUPPRESSED, Estimate
from secure_ml.assessment.scored import Scored
from secure_ml.assessment.weighted import Ranking, RowTerms
from secure_ml.policy.gates import DisclosureControl
from secure_ml_tests.assessment.people import CONTROL, scored


def _measure(people: Scored, *, resamples: int = 100) -> Performance:
    return measure(people, control=CONTROL, resamples=resamples, generator=np.random.default_rng(5))


def _calibration_error(people: Scored) -> float:
    total = 0.0
    for low in np.arange(10) / 10:
        inside = (people.score >= low) & ((people.score < low + 0.1) | (low == 0.9))
        if inside.any():
            total += inside.sum() * abs(people.label[inside].mean() - people.score[inside].mean())
    return total / people.rows


@pytest.mark.parametrize("decimals", [None, 1], ids=["all scores differ", "many scores tie"])
def test_figures_are_those_of_scikit_learn(decimals: int | None) -> None:
    people = scored(1500)
    if decimals is not None:
        people = Scored(people.label, people.score.round(decimals), None, people.period, {})
    y, p, d = people.label, people.score, people.predicted
    found = _measure(people)
    expected = {
        "auc": metrics.roc_auc_score(y, p),
        "accuracy": metrics.accuracy_score(y, d),
        "f1": metrics.f1_score(y, d),
        "log_loss": metrics.log_loss(y, p),
        "brier": metrics.brier_score_loss(y, p),
        "expected_calibration_error": _calibration_error(people) if decimals is None else None,
        "positive_rate": y.mean(),
    }
    for name, value in expected.items():
        if value is not None:
            estimate = getattr(found, name)
            assert estimate.value == pytest.approx(value, abs=5.1e-4), name
            assert estimate.low <= estimate.value <= estimate.high, name


def test_weighted_figures_are_those_of_the_rows_repeated() -> None:
    people = scored(300)
    weights = np.random.default_rng(2).integers(0, 4, (3, 300)).astype(float)
    auc, figures = Ranking.of(people).auc(weights), RowTerms.of(people).figures(weights)
    for draw in range(3):
        rows = np.repeat(np.arange(300), weights[draw].astype(int))
        assert auc[draw] == pytest.approx(metrics.roc_auc_score(people.label[rows], people.score[rows]))
        assert figures["f1"][draw] == pytest.approx(metrics.f1_score(people.label[rows], people.predicted[rows]))
        assert figures["log_loss"][draw] == pytest.approx(metrics.log_loss(people.label[rows], people.score[rows]))


def test_f1_is_zero_without_a_positive_decision() -> None:
    people = scored(400)
    low = Scored(people.label, people.score / 3, None, people.period, {})
    assert _measure(low).f1 == Estimate(value=0.0, low=0.0, high=0.0)


def test_a_certain_and_wrong_score_gives_a_finite_log_loss() -> None:
    people = scored(400)
    certain = Scored(people.label, (~people.label).astype(float), None, people.period, {})
    loss = _measure(certain).log_loss
    assert isinstance(loss, Estimate)
    assert loss.value > 30


@pytest.mark.parametrize("positive", [True, False])
def test_a_label_of_one_class_is_refused_with_advice(positive: bool) -> None:
    people = Scored(np.full(100, positive), np.full(100, 0.5), None, np.full(100, "a"), {})
    with pytest.raises(AssessmentError, match=r"one class only.*label\.positive"):
        _measure(people)


def test_few_people_suppress_every_figure() -> None:
    for rows, subjects in ((29, None), (4000, 25)):
        found = _measure(scored(rows, subjects=subjects))
        assert set(found.model_dump().values()) == {SUPPRESSED}


def test_confusion_counts_add_up_or_are_hidden_whole() -> None:
    people = scored(1000)
    counts = _measure(people).confusion
    assert counts != SUPPRESSED
    assert sum(counts.model_dump().values()) == 1000
    tn, fp, fn, tp = metrics.confusion_matrix(people.label, people.predicted).ravel()
    assert counts.model_dump() == {
        "true_positives": tp, "false_positives": fp, "false_negatives": fn, "true_negatives": tn
    }  # fmt: skip
    sharp = Scored(people.label, np.where(people.label, 0.9, 0.1), None, people.period, {})
    assert _measure(sharp).confusion == SUPPRESSED


def test_the_roc_curve_is_scikit_learns_on_a_coarse_grid() -> None:
    people = scored(3000)
    across, up, _ = metrics.roc_curve(people.label, people.score, drop_intermediate=False)
    points = _measure(people).roc
    assert points != SUPPRESSED
    negatives = int((~people.label).sum())
    assert len(points) <= negatives // CONTROL.minimum_cell
    for point in points:
        assert isinstance(point.true_positive_rate, Estimate)
        expected = np.interp(point.false_positive_rate, across, up)
        assert point.true_positive_rate.value == pytest.approx(expected, abs=4e-3)


def test_few_negatives_give_no_roc_curve() -> None:
    label = np.array([True] * 200 + [False] * 40)
    people = Scored(label, np.linspace(1, 0, 240), None, np.full(240, "a"), {})
    assert _measure(people).roc == SUPPRESSED


def test_calibration_bins_share_out_all_rows_and_none_is_small() -> None:
    people = scored(700, subjects=600)
    bins = _measure(people).calibration
    assert bins != SUPPRESSED
    assert sum(b.rows for b in bins) == people.rows
    assert bins[0].lower == 0
    assert bins[-1].upper == 1
    for before, after in itertools.pairwise(bins):
        assert before.upper == after.lower
    for b in bins:
        inside = (people.score >= b.lower) & ((people.score < b.upper) | (b.upper == 1))
        assert len(set(people.subject_codes[inside].tolist())) >= CONTROL.minimum_cell
        assert CONTROL.minimum_positives <= people.label[inside].sum() <= inside.sum() - CONTROL.minimum_positives
        assert b.positive_rate != SUPPRESSED
        assert b.mean_score == pytest.approx(people.score[inside].mean(), abs=6e-4)


def test_a_looser_control_gives_more_bins() -> None:
    people = scored(300)
    loose = DisclosureControl(minimum_cell=5, minimum_positives=3)
    fine = measure(people, control=loose, resamples=10, generator=np.random.default_rng(1)).calibration
    assert len(fine) > len(_measure(people).calibration)


def test_intervals_over_subjects_are_wider_than_over_rows_when_subjects_repeat() -> None:
    one = scored(200)
    copies = np.tile(np.arange(200), 10)
    tokens = np.array([f"t{i}" for i in copies], dtype=object)
    by_row = measure_auc(_take(one, copies, None), control=CONTROL, resamples=300, generator=np.random.default_rng(1))
    by_person = measure_auc(
        _take(one, copies, tokens), control=CONTROL, resamples=300, generator=np.random.default_rng(1)
    )
    assert isinstance(by_row, Estimate)
    assert isinstance(by_person, Estimate)
    assert by_person.high - by_person.low > 2 * (by_row.high - by_row.low)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # With a true coverage of 95 %, fewer than 103 hits of 120 happen in 3 of 100,000 such tests, and 120 in 2 of 1,000.
    # Intervals of half the width would hit about 80 times.
    truth = metrics.roc_auc_score(*_arrays(scored(400_000, seed=999)))
    hits = 0
    for seed in range(120):
        found = measure_auc(
            scored(400, seed=seed), control=CONTROL, resamples=200, generator=np.random.default_rng(seed)
        )
        assert isinstance(found, Estimate)
        hits += found.low <= truth <= found.high
    assert 103 <= hits < 120


def test_measuring_is_quick() -> None:
    people = scored(4000, subjects=3000)
    started = time.process_time()
    _measure(people, resamples=500)
    assert time.process_time() - started < 2


def test_figures_carry_no_more_than_three_decimals() -> None:
    for value in _measure(scored(777)).model_dump().values():
        if isinstance(value, dict) and "value" in value:
            assert all(round(number, 3) == number for number in value.values())


def _arrays(people: Scored) -> tuple[np.ndarray, np.ndarray]:
    return people.label, people.score


def _take(people: Scored, rows: np.ndarray, tokens: np.ndarray | None) -> Scored:
    return Scored(people.label[rows], people.score[rows], tokens, people.period[rows], {})
