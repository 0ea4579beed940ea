import hashlib
import sys
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from secure_ml.access.stages import PERIOD, SIDE, SIDES
from secure_ml.policy.training import Split
from secure_ml.training import columns, leakage
from secure_ml.training.errors import TrainingError
from secure_ml.training.leakage import examine
from secure_ml.training.split import sides, split
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.labels import PUBLIC
from secure_ml_tests.training.people import KEY, PSEUDONYM, dataset, people, policy


def _rows(made: Dataset) -> list[dict[str, Any]]:
    return [row for batch in made.scan() for row in batch.to_pylist()]


def _side_of(made: Dataset) -> dict[str, str]:
    return {row["person"]: row[SIDE] for row in _rows(made)}


def test_a_subject_with_rows_in_many_periods_lies_on_one_side() -> None:
    made = split(
        {"p1": dataset(people(900, subjects=300)), "p2": dataset(people(900, subjects=300), batch=7)},
        policy(),
        subject_key=KEY,
    )
    by_person: dict[str, set[str]] = {}
    for row in _rows(made):
        by_person.setdefault(row["person"], set()).add(row[SIDE])
    assert all(len(found) == 1 for found in by_person.values())
    assert {row[PERIOD] for row in _rows(made)} == {"p1", "p2"}


def test_shares_are_met() -> None:
    found = Counter(_side_of(split({"all": dataset(people(8000))}, policy(), subject_key=KEY)).values())
    for side, share in (("test", 0.15), ("validation", 0.15), ("train", 0.7)):
        assert abs(found[side] / 8000 - share) < 5 * np.sqrt(share * (1 - share) / 8000)


def test_a_side_does_not_depend_on_the_other_subjects() -> None:
    rows = people(600, subjects=200)
    whole = _side_of(split({"all": dataset(rows)}, policy(), subject_key=KEY))
    fewer = _side_of(split({"all": dataset(rows[200:])}, policy(), subject_key=KEY))
    assert all(whole[person] == side for person, side in fewer.items())


def test_another_key_gives_other_sides() -> None:
    rows = dataset(people(500))
    one, other = (_side_of(split({"all": rows}, policy(), subject_key=bytes([i]) * 32)) for i in (1, 2))
    assert sum(one[person] != other[person] for person in one) > 100


@pytest.mark.parametrize("gone", [0, 137, 399])
def test_without_a_subject_removing_a_row_moves_no_other(gone: int) -> None:
    rows = people(200) * 2
    rule = policy(subject=False)

    def bag(kept: list[dict[str, Any]]) -> Counter[str]:
        return Counter(map(repr, _rows(split({"all": dataset(kept)}, rule, subject_key=KEY))))

    whole, less = bag(rows), bag(rows[:gone] + rows[gone + 1 :])
    assert sum((whole - less).values()) == 1
    assert not less - whole


def test_without_a_subject_equal_rows_can_lie_on_different_sides() -> None:
    made = split({"all": dataset(people(1) * 3000)}, policy(subject=False), subject_key=KEY)
    assert set(Counter(row[SIDE] for row in _rows(made))) == set(SIDES)


@pytest.mark.parametrize("subject", [True, False])
def test_no_hash_is_made_without_a_key(monkeypatch: pytest.MonkeyPatch, subject: bool) -> None:
    """An unkeyed hash of a person's values is undone by trying them all, also where it only lies in memory."""
    keys: list[bytes] = []

    def blake2b(*, key: bytes, digest_size: int) -> object:
        keys.append(key)
        return hashlib.blake2b(key=key, digest_size=digest_size)

    # No other function of the module is left to them.
    monkeypatch.setattr(columns, "hashlib", SimpleNamespace(blake2b=blake2b))
    rule, masked = policy(subject=subject), {"all": dataset(people(50))}
    assert _rows(split(masked, rule, subject_key=KEY))
    examine(split(masked, rule, subject_key=KEY), rule, pass_key=KEY)
    assert {len(key) for key in keys} == {32}
    assert not [module for module in (sys.modules[split.__module__], leakage) if hasattr(module, "hashlib")]


def test_a_second_pass_gives_the_same_rows() -> None:
    made = split({"all": dataset(people(100) * 2)}, policy(subject=False), subject_key=KEY)
    assert _rows(made) == _rows(made)


def test_rows_without_label_or_subject_are_dropped_and_counted() -> None:
    rows = people(10)
    rows[0]["paid"] = None
    rows[1]["person"] = None
    made = split({"all": dataset(rows)}, policy(), subject_key=KEY)
    assert len(_rows(made)) == 8
    counted = made.summary()
    assert (counted["unlabelled"], counted["no_subject"]) == (1, 1)
    assert sum(int(counted[f"rows_{side}"]) for side in SIDES) == 8


def test_only_what_training_and_judging_need_is_kept_with_its_labels() -> None:
    made = split({"all": dataset(people(10))}, policy(), subject_key=KEY)
    assert made.schema.names == ["person", "income", "color", "group", "paid", PERIOD, SIDE]
    assert made.section_column == SIDE
    assert made.labels["person"] == PSEUDONYM
    assert made.labels[SIDE] == PUBLIC


def test_hashes_are_compared_as_integers_at_the_exact_borders() -> None:
    shares = Split(test=0.25, validation=0.25)
    quarter = 2**62
    hashes = np.array([0, quarter - 1, quarter, 2 * quarter - 1, 2 * quarter, 2**64 - 1], dtype=np.uint64)
    assert sides(hashes, shares).tolist() == ["test", "test", "validation", "validation", "train", "train"]


def test_a_short_key_and_a_missing_column_are_refused() -> None:
    with pytest.raises(TrainingError, match="32 bytes"):
        split({"all": dataset(people(3))}, policy(), subject_key=b"short")
    with pytest.raises(TrainingError, match="lacks the columns color"):
        split({"all": dataset(people(3)).select(["person", "income", "group", "paid"])}, policy(), subject_key=KEY)
