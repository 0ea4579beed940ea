"""Counting and measures against their definitions, and the attacks that each measure is there for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.protection.anonymity.counting import ClassCounter, Classes
from secure_ml.protection.anonymity.measures import (
    closeness,
    distinct_diversity,
    entropy_diversity,
    k_anonymity,
    risks,
)
from secure_ml_tests.protection.anonymity import reference

SCHEMA = pa.schema(
    [("who", pa.string()), ("zip", pa.string()), ("born", pa.int64()), ("pay", pa.float64()), ("ill", pa.string())]
)
QUASI = ("zip", "born")
SENSITIVE = ("pay", "ill")


def count(
    rows: Sequence[dict[str, Any]], *, subject: str | None = "who", sensitive: Sequence[str] = SENSITIVE, batch: int = 7
) -> Classes:
    counter = ClassCounter(QUASI, sensitive=sensitive, subject=subject)
    for piece in pa.Table.from_pylist(list(rows), schema=SCHEMA).to_batches(max_chunksize=batch):
        counter.add(piece)
    return counter.classes()[0]


ROW = st.fixed_dictionaries(
    {
        "who": st.sampled_from([f"person {n}" for n in range(6)]),
        "zip": st.sampled_from(["577", "560", "", None]),
        "born": st.sampled_from([1990, 1991, None]),
        "pay": st.sampled_from([None, -5.0, 10.0, 20.0, 20.5, 1e9]),
        "ill": st.sampled_from(["flu", "", "gout", None]),
    }
)


@settings(max_examples=60)
@given(st.lists(ROW, min_size=1, max_size=40), st.sampled_from(["who", None]), st.integers(1, 12))
def test_every_measure_is_what_its_definition_says(rows: list[dict[str, Any]], subject: str | None, batch: int) -> None:
    found = count(rows, subject=subject, batch=batch)
    slow = reference.classes(rows, QUASI, subject)
    assert sorted(found.subjects) == sorted(map(len, slow.values()))
    assert k_anonymity(found) == min(map(len, slow.values()))
    assert risks(found).marketer == pytest.approx(len(slow) / sum(map(len, slow.values())))
    pieces = reference.members(rows, QUASI)
    assert sorted(found.rows) == sorted(map(len, pieces.values()))
    for name, distance in (("pay", reference.ordered_distance), ("ill", reference.total_variation)):
        shares = [reference.shares(piece, name, subject) for piece in pieces.values()]
        overall = reference.shares(rows, name, subject)
        # The whole is the sum of the classes: somebody in two classes counts in both.
        whole: dict[Any, float] = {}
        for piece in pieces.values():
            holders: dict[Any, set[Any]] = {}
            for number, row in enumerate(piece):
                holders.setdefault(row[name], set()).add(number if subject is None else row[subject])
            for value, people in holders.items():
                whole[value] = whole.get(value, 0) + len(people)
        total = sum(whole.values())
        overall = {value: number / total for value, number in whole.items()}
        classes, spread = len(found.subjects), found.distributions[name]
        assert sorted(distinct_diversity(spread, classes)) == sorted(map(reference.distinct, shares))
        assert np.allclose(sorted(entropy_diversity(spread, classes)), sorted(map(reference.entropy, shares)))
        expected = sorted(distance(share, overall) for share in shares)
        assert np.allclose(sorted(closeness(spread, classes)), expected)
