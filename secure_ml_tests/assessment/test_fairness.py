import fairlearn.metrics
import numpy as np
import pytest

from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.fairness import GAPS, RATES, AttributeFairness, compare_groups
from secure_ml.assessment.records import SUPPRESSED, Estimate
from secure_ml.assessment.scored import Scored
from secure_ml_tests.assessment.people import CONTROL, counted, scored

SHARES = {"amber": 0.5, "blue": 0.3, "unknown": 0.2}


def _compare(people: Scored, *, resamples: int = 200) -> AttributeFairness:
    (compared,) = compare_groups(
        people,
        sensitive_features=people.groups,
        control=CONTROL,
        resamples=resamples,
        generator=np.random.default_rng(5),
    )
    return compared


def test_rates_and_gaps_are_fairlearns() -> None:
    people = scored(2000, groups={"colour": SHARES})
    compared = _compare(people)
    frame = fairlearn.metrics.MetricFrame(
        metrics={
            "selection_rate": fairlearn.metrics.selection_rate,
            "true_positive_rate": fairlearn.metrics.true_positive_rate,
            "false_positive_rate": fairlearn.metrics.false_positive_rate,
            "accuracy": lambda y, d: float((y == d).mean()),
        },
        y_true=people.label,
        y_pred=people.predicted,
        sensitive_features=people.groups["colour"],
    ).by_group
    assert [group.group for group in compared.groups] == list(frame.index)
    for group in compared.groups:
        assert group.rows == group.subjects == (people.groups["colour"] == group.group).sum()
        for rate in RATES:
            estimate = getattr(group, rate)
            assert estimate.value == pytest.approx(frame.loc[group.group, rate], abs=6e-4)
            assert estimate.low <= estimate.value <= estimate.high
    for gap in GAPS:
        expected = getattr(fairlearn.metrics, gap)(
            people.label, people.predicted, sensitive_features=people.groups["colour"]
        )
        assert getattr(compared, gap).value == pytest.approx(expected, abs=6e-4)
    assert compared.groups_compared == 3
    assert compared.groups_left_out == compared.unnamed_groups == 0


def test_a_planted_bias_is_found_with_an_interval_away_from_zero() -> None:
    people = scored(3000, groups={"colour": {"amber": 0.5, "blue": 0.5}})
    blue = people.groups["colour"] == "blue"
    biased = Scored(people.label, np.where(blue, people.score * 0.7, people.score), None, people.period, people.groups)
    gap = _compare(biased).demographic_parity_difference
    assert isinstance(gap, Estimate)
    assert gap.low > 0.1


def test_names_of_tiny_groups_are_never_shown() -> None:
    people = counted(amber=(100, 100), blue=(100, 90), canary=(1, 0), unknown=(40, 45))
    compared = _compare(people)
    assert "canary" not in compared.model_dump_json()
    assert compared.unnamed_groups == 1


def test_one_small_group_hides_the_smallest_other_but_not_its_part_in_the_gap() -> None:
    compared = _compare(counted(amber=(100, 100), blue=(100, 90), canary=(5, 5), unknown=(40, 45)))
    hidden = {group.group for group in compared.groups if group.rows == SUPPRESSED}
    assert hidden == {"unknown"}
    assert compared.groups_compared == 3
    assert compared.groups_left_out == 1
    assert isinstance(compared.demographic_parity_difference, Estimate)


def test_a_hidden_group_shows_no_figure_at_all() -> None:
    compared = _compare(counted(amber=(100, 100), few_positives=(100, 9), blue=(100, 90)))
    (hidden,) = [group for group in compared.groups if group.group == "few_positives"]
    assert set(hidden.model_dump(exclude={"group"}).values()) == {SUPPRESSED}
    assert compared.groups_left_out == 1
    assert compared.unnamed_groups == 0


def test_a_gap_ignores_groups_that_are_too_small() -> None:
    people = counted(amber=(100, 100), blue=(100, 100), canary=(3, 3), other_canary=(3, 4))
    tiny = np.isin(people.groups["colour"], ["canary", "other_canary"])
    extreme = Scored(people.label, np.where(tiny, 1.0, people.score), None, people.period, people.groups)
    gap = _compare(extreme).demographic_parity_difference
    assert isinstance(gap, Estimate)
    assert gap.value == 0


def test_one_group_that_is_large_enough_has_no_gap() -> None:
    compared = _compare(counted(amber=(100, 100), canary=(5, 5)))
    assert [getattr(compared, gap) for gap in GAPS] == [SUPPRESSED] * 3
    assert compared.groups_compared == 1


def test_no_group_that_is_large_enough_shows_nothing() -> None:
    compared = _compare(counted(canary=(5, 5), other=(4, 4)))
    assert compared.groups == ()
    assert compared.unnamed_groups == 2
    assert compared.equalized_odds_difference == SUPPRESSED


def test_groups_are_counted_by_subject() -> None:
    people = counted(amber=(100, 100), blue=(100, 100), twice=(60, 60))
    tokens = np.array([f"t{i}" for i in range(people.rows)], dtype=object)
    tokens[people.groups["colour"] == "twice"] = "one person"
    compared = _compare(Scored(people.label, people.score, tokens, people.period, people.groups))
    assert compared.unnamed_groups == 1
    assert "twice" not in compared.model_dump_json()


def test_an_attribute_of_another_length_is_refused() -> None:
    with pytest.raises(AssessmentError, match="one group name for each row"):
        compare_groups(
            scored(100),
            sensitive_features={"colour": np.array(["red"])},
            control=CONTROL,
            resamples=5,
            generator=np.random.default_rng(1),
        )


def test_sensitive_features_cannot_be_passed_by_position() -> None:
    people = scored(100, groups={"colour": SHARES})
    with pytest.raises(TypeError):
        compare_groups(people, people.groups, CONTROL, 5, np.random.default_rng(1))
