"""Counting and measures against their definitions, computed slowly."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.protection.anonymity import distinct_rows
from secure_ml.protection.anonymity.combinations import combination_keys, missing_key
from secure_ml.protection.anonymity.counting import ClassCounter, Classes
from secure_ml.protection.anonymity.measures import (
    closeness,
    distinct_diversity,
    entropy_diversity,
    k_anonymity,
    risks,
    sizes,
)
from secure_ml_tests.protection.anonymity import reference

SCHEMA = pa.schema(
    [("who", pa.string()), ("zip", pa.string()), ("born", pa.int64()), ("pay", pa.float64()), ("ill", pa.string())]
)
QUASI = ("zip", "born")


def count(rows: Sequence[dict[str, Any]], *, subject: str | None = "who", batch: int = 7) -> Classes:
    counter = ClassCounter(QUASI, sensitive=("pay", "ill"), subject=subject)
    for piece in pa.Table.from_pylist(list(rows), schema=SCHEMA).to_batches(max_chunksize=batch):
        counter.add(piece)
    return counter.classes()[0]


def row(zip_code: str | None, born: int | None, pay: float = 1, ill: str = "flu", who: str = "a") -> dict[str, Any]:
    return {"who": who, "zip": zip_code, "born": born, "pay": pay, "ill": ill}


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
    assert sorted(found.rows) == sorted(map(len, reference.members(rows, QUASI).values()))
    assert k_anonymity(found) == min(map(len, slow.values()))
    assert risks(found).prosecutor == 1 / k_anonymity(found)
    assert risks(found).marketer == pytest.approx(len(slow) / sum(map(len, slow.values())))
    for name, distance in (("pay", reference.ordered_distance), ("ill", reference.total_variation)):
        shares, overall = reference.spread(rows, QUASI, name, subject)
        classes, spread = len(found.subjects), found.distributions[name]
        assert sorted(distinct_diversity(spread, classes)) == sorted(map(len, shares))
        assert np.allclose(sorted(entropy_diversity(spread, classes)), sorted(map(reference.entropy, shares)))
        assert np.allclose(sorted(closeness(spread, classes)), sorted(distance(share, overall) for share in shares))


def test_how_batches_are_cut_and_merged_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(str(n % 5), 1990 + n % 3, float(n % 7), who=f"w{n % 11}") for n in range(400)]
    whole = count(rows, batch=400)
    monkeypatch.setattr(distinct_rows, "_PENDING_ROWS", 10)
    pieces = count(rows, batch=3)
    assert sorted(pieces.subjects) == sorted(whole.subjects)
    t = [sorted(closeness(found.distributions["pay"], len(found.subjects))) for found in (whole, pieces)]
    assert np.allclose(*t)


def test_the_papers_own_example_of_t_closeness() -> None:
    # Li, Li and Venkatasubramanian (2007), section 5: salaries 3k to 11k, of which a class has {3k, 4k, 5k}: t = 0.375;
    # another has {6k, 8k, 11k}: t = 0.167.
    paid = {"lower": (3, 4, 5), "upper": (6, 8, 11), "rest": (7, 9, 10)}
    rows = [row(name, 1, pay * 1000, who=f"{name}{pay}") for name, pays in paid.items() for pay in pays]
    counter = ClassCounter(["zip"], sensitive=["pay"], subject="who")
    counter.add(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    classes, keys = counter.classes()
    found = dict(zip(keys.to_pylist(), closeness(classes.distributions["pay"], 3), strict=True))
    lower, upper = (found[combination_keys([pa.array([name])])[0].as_py()] for name in ("lower", "upper"))
    assert (lower, upper) == (pytest.approx(0.375), pytest.approx(1 / 6))


def test_a_missing_number_is_far_from_all_others() -> None:
    # Half of the people have no figure, and the others the lowest of eleven but for ten: who is in a class of those
    # without one has something to tell, and their rank beside the lowest would not.
    rows = [row("none", 1, None, who=f"n{n}") for n in range(50)]
    rows += [row("low", 1, 0.0, who=f"l{n}") for n in range(40)] + [row("all", 1, n, who=f"a{n}") for n in range(1, 11)]
    counter = ClassCounter(["zip"], sensitive=["pay"], subject="who")
    counter.add(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    classes, keys = counter.classes()
    t = dict(zip(keys.to_pylist(), closeness(classes.distributions["pay"], len(keys)), strict=True))
    assert t[combination_keys([pa.array(["none"])])[0].as_py()] == pytest.approx(0.5)


def test_a_missing_cell_is_a_value_of_its_own() -> None:
    keys = combination_keys([pa.array(["", None, "", None]), pa.array([None, None, 1, 1])])
    assert len(set(keys.to_pylist())) == 4
    assert keys[1].as_py() == missing_key(2)
    rows = [row(None, 1990, who="a"), row("", 1990, who="b"), row(None, None, who="c")]
    assert len(count(rows).subjects) == 3
    assert count(rows).emptied.sum() == 1
    assert not count(rows[:2]).emptied.any()


def test_the_same_cells_in_other_columns_are_another_combination() -> None:
    one, other = pa.array(["x"]), pa.array(["y"])
    assert combination_keys([one, other]) != combination_keys([other, one])


def test_sizes_are_counted_by_range() -> None:
    rows = [row("a", 1, who=f"w{n}") for n in range(5)] + [row("b", 1, who="x"), row("c", 1, who="y")]
    classes, subjects = sizes(count(rows), np.array([1, 2, 4, 8]))
    assert (classes.tolist(), subjects.tolist()) == ([2, 0, 1, 0], [2, 0, 5, 0])


def test_an_empty_table_has_no_class() -> None:
    assert k_anonymity(count([])) == 0
    assert risks(count([])).marketer == 0
