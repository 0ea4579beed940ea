from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from secure_ml.access.stages import PERIOD, SIDE
from secure_ml.policy.gates import LeakageGate
from secure_ml.training.errors import TrainingError
from secure_ml.training.leakage import SplitFacts, examine
from secure_ml.training.single_feature import FeatureCounts
from secure_ml.training.split import split
from secure_ml_tests.training.people import KEY, SCHEMA, dataset, people, policy

SPLIT_SCHEMA = SCHEMA.append(pa.field(PERIOD, pa.string())).append(pa.field(SIDE, pa.string()))
PASS_KEY = bytes(range(32))


def _on(rows: list[dict[str, Any]], side: str) -> list[dict[str, Any]]:
    return [{**row, PERIOD: "p1", SIDE: side} for row in rows]


def _examine(rows: list[dict[str, Any]], *, subject: bool = True) -> SplitFacts:
    return examine(dataset(rows, schema=SPLIT_SCHEMA, batch=100), policy(subject=subject), pass_key=PASS_KEY)


def test_a_split_of_ours_is_separate_and_its_sides_are_counted() -> None:
    rows = people(2000, subjects=900)
    facts = examine(
        split({"p1": dataset(rows), "p2": dataset(rows)}, policy(), subject_key=KEY), policy(), pass_key=PASS_KEY
    )
    assert facts.separate
    assert facts.periods == ("p1", "p2")
    assert sum(side.rows for side in facts.sides.values()) == 4000
    assert sum(side.positives for side in facts.sides.values()) == 2 * sum(row["paid"] == "yes" for row in rows)
    assert facts.leaking(LeakageGate()) == ()
    assert facts.one_class_sides == ()


def test_a_subject_on_two_sides_is_found() -> None:
    rows, other = people(50), people(50, seed=1)
    other[7]["person"] = rows[3]["person"]
    facts = _examine(_on(rows, "train") + _on(other, "test"))
    assert (facts.subjects_on_two_sides, facts.rows_on_two_sides) == (1, 0)
    assert not facts.separate


def test_the_same_row_on_two_sides_is_found() -> None:
    rows = people(50)
    facts = _examine(_on(rows, "train") + _on(rows[:2], "validation"))
    assert (facts.subjects_on_two_sides, facts.rows_on_two_sides, facts.alike_on_two_sides) == (2, 2, 2)


def test_different_people_who_look_alike_are_no_error() -> None:
    rows = people(50)
    facts = _examine(
        _on(rows, "train") + _on([{**row, "person": f"other-{row['person']}"} for row in rows[:5]], "test")
    )
    assert facts.separate
    assert facts.alike_on_two_sides == 5


def test_a_side_with_one_outcome_or_no_row_is_named() -> None:
    facts = _examine(_on([{**row, "paid": "no"} for row in people(20)], "train") + _on(people(20, seed=1), "test"))
    assert facts.one_class_sides == ("train", "validation")
    assert facts.single_feature_auc == {"income": None, "color": None}


def test_a_feature_that_gives_the_label_away_is_named() -> None:
    rows = people(600)
    for row in rows:
        row["color"] = "red" if row["paid"] == "yes" else "blue"
    facts = _examine(_on(rows, "train"))
    assert facts.leaking(LeakageGate()) == ("color",)
    assert facts.leaking(LeakageGate(maximum_single_feature_auc=1.0)) == ()


def test_only_the_training_side_is_looked_at_for_leaks() -> None:
    rows, test = people(600), people(600, seed=1)
    for row in test:
        row["color"] = "red" if row["paid"] == "yes" else "blue"
    assert _examine(_on(rows, "train") + _on(test, "test")).leaking(LeakageGate()) == ()


def test_the_key_of_the_pass_changes_no_figure_and_a_short_one_is_refused() -> None:
    rows = people(200, subjects=80)
    made = dataset(_on(rows, "train") + _on(rows[:9], "test"), schema=SPLIT_SCHEMA)
    assert examine(made, policy(), pass_key=PASS_KEY) == examine(made, policy(), pass_key=bytes(64))
    with pytest.raises(TrainingError, match="32 bytes"):
        examine(made, policy(), pass_key=bytes(31))


def test_the_facts_hold_no_cell() -> None:
    rows = people(50)
    text = repr(_examine(_on(rows, "train")))
    assert not any(row["person"] in text or repr(row["income"]) in text for row in rows)


def _auc(cells: list[Any], positive: np.ndarray, kind: pa.DataType) -> float | None:
    counted = FeatureCounts(kind)
    fold = np.arange(len(cells)) % 2
    for start in range(0, len(cells), 333):
        part = slice(start, start + 333)
        counted.add(pa.array(cells[part], kind), positive[part], fold[part])
    return counted.auc()


RNG = np.random.default_rng(5)
POSITIVE = RNG.random(4000) < 0.3


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    [
        (POSITIVE * 10.0 + RNG.random(4000), 1.0, 1.0),
        (-(POSITIVE * 10.0) - RNG.random(4000), 1.0, 1.0),
        (np.where(POSITIVE, 0.0, RNG.choice([-1.0, 1.0], 4000)) + RNG.random(4000) / 10, 0.97, 1.0),
        ([None if yes else 1.5 for yes in POSITIVE], 1.0, 1.0),
        (RNG.random(4000), 0.5, 0.54),
        (np.arange(4000.0), 0.5, 0.54),
    ],
    ids=["monotone", "falling", "not monotone", "missing tells", "noise", "row number"],
)
def test_numeric_leaks_are_seen_and_noise_is_not(cells: Any, low: float, high: float) -> None:
    found = _auc([None if cell is None else float(cell) for cell in cells], POSITIVE, pa.float64())
    assert found is not None
    assert low - 1e-9 <= found <= high


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    [
        (["y" if yes else "n" for yes in POSITIVE], 1.0, 1.0),
        ([f"id{i}" for i in range(4000)], 0.5, 0.5),
        ([f"k{RNG.integers(0, 1500)}" for _ in range(4000)], 0.5, 0.55),
        ([f"{'y' if yes else 'n'}{RNG.integers(0, 300)}" for yes in POSITIVE], 0.97, 1.0),
    ],
    ids=["tells all", "ever new", "many levels of noise", "many levels that tell"],
)
def test_categorical_leaks_are_seen_and_many_levels_are_not(cells: list[str], low: float, high: float) -> None:
    found = _auc(cells, POSITIVE, pa.string())
    assert found is not None
    assert low <= found <= high


def test_rank_auc_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    values = np.round(POSITIVE + RNG.normal(0, 1, 4000), 1)
    found = _auc(values.tolist(), POSITIVE, pa.float64())
    assert found == pytest.approx(roc_auc_score(POSITIVE, values), abs=0.02)
    assert found is not None
    assert found >= roc_auc_score(POSITIVE, values) - 1e-12
