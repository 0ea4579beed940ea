"""The private estimator against its own statement: what is summed, with what noise, and who could be seen in it."""

import math
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2, ks_2samp, norm

from secure_ml.privacy.accounting import delta_of
from secure_ml.privacy.noise import Integers, OpenDpSampler
from secure_ml.training.encoding import Encoding
from secure_ml.training.errors import TrainingError
from secure_ml.training.estimators import clipped_sums
from secure_ml.training.estimators.clipped_sums import GRADIENT_UNITS, LOGIT_UNITS, ClippedRows
from secure_ml.training.estimators.dp_additive import AdditiveModel, DpAdditiveEstimator
from secure_ml.training.estimators.noise_plan import COUNT_UNITS, NoisePlan
from secure_ml.training.estimators.port import GIVEN_MASKED, PRIVATE, VOID, PrivacyLoss
from secure_ml.training.sampling import one_row_each
from secure_ml_tests.training.people import BOOSTING, COLORS, KEY, dataset, people, policy
from secure_ml_tests.training.people import PRIVATE as SETTINGS

LOSS = PrivacyLoss(Decimal(1), Decimal("1e-6"))
FALSE_ALARM = 1e-6
"""Chance that the right mechanism fails one statistical test of this file."""


def _rows(rows: list[dict[str, object]], *, clip: float = 0.5, colors: tuple[str, ...] = COLORS) -> ClippedRows:
    encoding = Encoding.of(policy(colors=colors).features)
    batch = next(dataset(rows, batch=100_000).scan())
    positive = np.array([row["paid"] == "yes" for row in rows])
    return ClippedRows.of(encoding.encode(batch), positive, encoding=encoding, clip=clip)


def _some_weights(width: int, seed: int) -> Integers:
    return (np.random.default_rng(seed).normal(0, 3, width + 1) * LOGIT_UNITS).astype(np.int64)


def largest_contribution_squared() -> int:
    """The largest squared norm that any one row of many adds to a sum, at weights that push residuals to their ends."""
    largest = 0
    for seed, row in enumerate(people(60)):
        one = _rows([row])
        for weights in (_some_weights(one.width, seed), np.zeros(one.width + 1, np.int64)):
            largest = max(largest, int((one.gradient_sum(weights).astype(object) ** 2).sum()))
    return largest


def test_no_row_adds_more_than_the_stated_sensitivity_and_some_row_adds_just_that() -> None:
    stated = _rows(people(1)).sensitivity_squared
    assert stated == 3 * GRADIENT_UNITS**2
    assert largest_contribution_squared() == stated


def test_a_missing_clip_is_caught_by_the_sensitivity(monkeypatch: pytest.MonkeyPatch) -> None:
    original = clipped_sums.residual_table

    def unclipped(*, clip: float) -> np.ndarray:
        return original(clip=1.0) / clip

    monkeypatch.setattr(clipped_sums, "residual_table", unclipped)
    assert largest_contribution_squared() > _rows(people(1)).sensitivity_squared


def test_a_sum_is_the_sum_of_its_rows_exactly_and_near_the_true_gradient() -> None:
    table = people(300)
    together = _rows(table)
    weights = _some_weights(together.width, 1)
    apart = sum(_rows([row]).gradient_sum(weights) for row in table)
    np.testing.assert_array_equal(together.gradient_sum(weights), apart)
    logits = weights[-1] + sum(weights[codes] for codes in together.codes)
    residual = np.clip(1 / (1 + np.exp(-logits / LOGIT_UNITS)) - together.positive, -0.5, 0.5)
    assert together.gradient_sum(weights)[-1] / GRADIENT_UNITS * 0.5 == pytest.approx(residual.sum(), abs=0.1)


def transcript(sampler: Callable[[Integers, float], Integers], *, table: list[dict[str, object]]) -> np.ndarray:
    """The noise in every number of one training's gradient sums, in units of the stated scale, seen from outside."""
    rule = policy()
    rows = _rows(table)
    plan = NoisePlan.of(privacy_loss=LOSS, rounds=200, sensitivity_squared=rows.sensitivity_squared)
    seen: list[np.ndarray] = []

    def watched(values: Integers, scale: float) -> Integers:
        noisy = sampler(values, scale)
        if values.size > 1:
            seen.append((noisy - values) / plan.gradient.scale)
        return noisy

    DpAdditiveEstimator(watched).fit(dataset(table), policy=rule, subject_key=KEY, privacy_loss=LOSS)
    assert len(seen) == 200
    return np.concatenate(seen)


def _p_value(noise: np.ndarray) -> float:
    """Two-sided p-value of spread, and of a normal shape in twenty cells of equal chance (the smaller, doubled)."""
    spread = float(chi2.cdf((noise**2).sum(), noise.size))
    cells = np.bincount((norm.cdf(noise) * 20).astype(int).clip(0, 19), minlength=20)
    shape = float(chi2.sf(((cells - noise.size / 20) ** 2 / (noise.size / 20)).sum(), 19))
    return min(1.0, 2 * min(2 * spread, 2 * (1 - spread), shape))


def test_released_sums_carry_the_stated_noise() -> None:
    assert _p_value(transcript(OpenDpSampler(), table=people(50))) > FALSE_ALARM


@pytest.mark.parametrize("factor", [0.5, 0.9], ids=["half the noise", "a tenth less"])
def test_too_little_noise_is_caught(factor: float) -> None:
    noise = transcript(lambda values, scale: OpenDpSampler()(values, scale * factor), table=people(50))
    assert _p_value(noise) <= FALSE_ALARM


def test_the_plan_of_a_training_costs_what_was_charged() -> None:
    plan = NoisePlan.of(privacy_loss=LOSS, rounds=200, sensitivity_squared=3 * GRADIENT_UNITS**2)
    mu = math.sqrt(plan.count.mu_squared + plan.gradient.mu_squared)
    assert plan.count.sensitivity_squared == COUNT_UNITS**2
    assert 1e-6 * (1 - 1e-6) < delta_of(epsilon=1.0, mu=mu) <= 1e-6


def visibility(colors_of: Callable[[list[dict[str, object]]], tuple[str, ...]]) -> bool:
    """Whether a colour that one person alone has changes which numbers are released, with noise or without."""
    table = people(200)
    lone = [*table, {**table[0], "person": "lone", "color": "ultraviolet"}]
    widths = {_rows(rows, colors=colors_of(rows)).width for rows in (table, lone)}
    return len(widths) > 1


def test_a_bound_read_from_the_data_is_caught() -> None:
    assert not visibility(lambda rows: COLORS)
    assert visibility(lambda rows: tuple(sorted({str(row["color"]) for row in rows})))


def lone_category(sampler: Callable[[Integers, float], Integers], *, held: bool, fits: int) -> np.ndarray:
    """What models say of a declared category that one person, or nobody, has."""
    rule = policy(colors=(*COLORS, "rare"), estimator={**SETTINGS, "rounds": 10})
    table = people(60)
    lone = [{**table[0], "person": "lone", "color": "rare", "paid": "yes"}] if held else []
    rows, found = dataset([*table, *lone]), []
    for _ in range(fits):
        model = DpAdditiveEstimator(sampler).fit(rows, policy=rule, subject_key=KEY, privacy_loss=LOSS)
        curve = model.explain()["color"]
        found.append(curve.contributions[curve.levels.index("rare")])
    return np.array(found)


def _held_or_not(sampler: Callable[[Integers, float], Integers], monkeypatch: pytest.MonkeyPatch) -> float:
    """p-value that models with and without the one person are alike in that person's category."""
    # The second accountant is slow and has tests of its own.
    monkeypatch.setattr("secure_ml.privacy.accounting.verify", lambda releases, *, epsilon, delta: None)
    fits = [lone_category(sampler, held=held, fits=60) for held in (True, False)]
    return float(ks_2samp(*fits).pvalue)


def test_a_category_held_by_one_person_is_no_more_visible_than_delta_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _held_or_not(OpenDpSampler(), monkeypatch) > FALSE_ALARM
    # The whole shift that one person makes over a training, in standard deviations of its noise, is within what was
    # accounted for: this has no chance in it.
    one = _rows([{**people(1)[0], "color": "rare"}], colors=(*COLORS, "rare"))
    plan = NoisePlan.of(privacy_loss=LOSS, rounds=200, sensitivity_squared=one.sensitivity_squared)
    shift = one.gradient_sum(np.zeros(one.width + 1, np.int64)).astype(float)
    moved = math.sqrt(plan.gradient.times * float(shift @ shift)) / plan.gradient.scale
    assert delta_of(epsilon=1.0, mu=math.sqrt(moved**2 + plan.count.mu_squared)) <= 1e-6


def test_a_category_without_noise_where_nobody_is_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_where_somebody_is(values: Integers, scale: float) -> Integers:
        return np.where(values == 0, 0, OpenDpSampler()(values, scale))

    assert _held_or_not(only_where_somebody_is, monkeypatch) <= FALSE_ALARM


def test_it_learns_what_is_there() -> None:
    from sklearn.metrics import roc_auc_score

    model = DpAdditiveEstimator().fit(dataset(people(6000)), policy=policy(), subject_key=KEY, privacy_loss=LOSS)
    test = people(3000, seed=9)
    predicted = model.predict_probability(next(dataset(test, batch=5000).scan()))
    truth = [row["paid"] == "yes" for row in test]
    assert roc_auc_score(truth, predicted) > 0.9
    curve = model.explain()["income"]
    assert curve.levels == ("below 10", "10 to 20", "20 to 30", "30 to 40", "40 and more", "missing")
    assert list(curve.contributions[:5]) == sorted(curve.contributions[:5])


def test_the_explanation_is_the_model() -> None:
    model = DpAdditiveEstimator().fit(dataset(people(500)), policy=policy(), subject_key=KEY, privacy_loss=LOSS)
    batch = next(dataset([{**people(1)[0], "income": 15.0, "color": "red"}]).scan())
    curves = {name: dict(zip(c.levels, c.contributions, strict=True)) for name, c in model.explain().items()}
    log_odds = model.intercept + curves["income"]["10 to 20"] + curves["color"]["red"]
    assert model.predict_probability(batch)[0] == pytest.approx(1 / (1 + math.exp(-log_odds)))


def test_two_trainings_on_the_same_rows_differ() -> None:
    one, other = (
        DpAdditiveEstimator().fit(dataset(people(100)), policy=policy(), subject_key=KEY, privacy_loss=LOSS)
        for _ in range(2)
    )
    assert not np.array_equal(one.contributions, other.contributions)


def _without_noise(values: Integers, scale: float) -> Integers:
    return values


def _fit(table: list[dict[str, object]], *, subject: bool = True) -> AdditiveModel:
    return DpAdditiveEstimator(_without_noise).fit(
        dataset(table), policy=policy(subject=subject), subject_key=KEY, privacy_loss=LOSS
    )


def test_a_subject_with_a_thousand_rows_counts_as_one() -> None:
    table = people(100)
    flood = _fit(table + [{**table[0]} for _ in range(1000)])
    np.testing.assert_array_equal(flood.contributions, _fit(table).contributions)
    rows = _fit(table + [{**table[0]} for _ in range(1000)], subject=False)
    assert not np.array_equal(rows.contributions, flood.contributions)


def test_the_chosen_row_of_a_subject_does_not_depend_on_order_or_on_others() -> None:
    rng = np.random.default_rng(0)
    codes, positive = rng.integers(0, 50, (2, 400)).astype(np.int32), rng.random(400) < 0.5
    people_of = pa.array([f"s{i}" for i in rng.integers(0, 60, 400)])

    def chosen(order: np.ndarray) -> dict[str, tuple[int, ...]]:
        kept = one_row_each(people_of.take(pa.array(order)), codes[:, order], positive[order], key=KEY)
        return {people_of[order[i]].as_py(): (*codes[:, order[i]], positive[order[i]]) for i in kept}

    whole = chosen(np.arange(400))
    assert len(whole) == 60
    assert chosen(rng.permutation(400)) == whole
    fewer = chosen(np.flatnonzero(np.asarray(people_of) != "s7"))
    assert fewer == {person: row for person, row in whole.items() if person != "s7"}


def test_an_empty_side_and_unlabelled_rows_are_no_release_of_their_own() -> None:
    assert _fit([]).features == ("income", "color")
    table = people(80)
    unlabelled = [{**row, "paid": None, "person": f"u{i}"} for i, row in enumerate(table)]
    np.testing.assert_array_equal(_fit(table + unlabelled).contributions, _fit(table).contributions)


def test_facts_state_the_guarantee_and_what_it_leaves_out() -> None:
    facts = _fit(people(10)).facts
    assert (facts.guarantee, facts.unit, facts.epsilon, facts.delta) == (PRIVATE, "subject", "1", "1e-6")
    assert "one subject" in facts.neighbouring
    assert facts.noise_scale == pytest.approx(math.sqrt(200 / 0.99) / 0.23670438, rel=1e-5)
    assert any("metrics" in line for line in facts.not_covered)
    assert _fit(people(10), subject=False).facts.unit == "row"


def test_bounds_drafted_from_the_data_void_the_guarantee() -> None:
    rule = policy(bounds_from="data")
    facts = DpAdditiveEstimator().fit(dataset(people(10)), policy=rule, subject_key=KEY, privacy_loss=LOSS).facts
    assert facts.guarantee == VOID
    assert "income" in facts.guarantee_reason


@pytest.mark.parametrize(
    ("column", "bounds", "guarantee"),
    [
        ("color", "steward", GIVEN_MASKED),
        ("group", "steward", PRIVATE),
        (None, "steward", PRIVATE),
        ("color", "data", VOID),
    ],
)
def test_suppression_in_a_feature_leaves_a_guarantee_for_the_masked_table_only(
    column: str | None, bounds: str, guarantee: str
) -> None:
    anonymity: dict[str, object] = {"k": 2, "quasi_identifiers": ["group", "color"]}
    if column is not None:
        anonymity |= {"suppress": True, "suppressed_columns": [column]}
    rule = policy(bounds_from=bounds, anonymity=anonymity)
    facts = DpAdditiveEstimator().fit(dataset(people(10)), policy=rule, subject_key=KEY, privacy_loss=LOSS).facts
    assert facts.guarantee == guarantee
    assert ("suppressed" in facts.guarantee_reason) == (guarantee == GIVEN_MASKED)


@pytest.mark.parametrize("case", ["no charge", "another estimator's policy"])
def test_it_learns_nothing_without_a_charge(case: str) -> None:
    rule = policy(estimator=SETTINGS if case == "no charge" else BOOSTING)
    loss = None if case == "no charge" else LOSS
    with pytest.raises(TrainingError, match="charged"):
        DpAdditiveEstimator().fit(dataset(people(10)), policy=rule, subject_key=KEY, privacy_loss=loss)
