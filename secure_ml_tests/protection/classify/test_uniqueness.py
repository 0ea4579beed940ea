import tracemalloc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import uniqueness
from secure_ml.protection.classify.cell_hashes import hash_cells, hash_rows
from secure_ml.protection.classify.class_sample import CONFIDENCE, ClassSample
from secure_ml.protection.classify.distinct_count import EXACT_UP_TO, DistinctCount
from secure_ml.protection.classify.errors import ColumnNotExaminable
from secure_ml.protection.classify.finding import Finding, findings_table
from secure_ml.protection.classify.uniqueness import BEYOND, Uniqueness

NOTHING = Finding(
    column="", entity=Entity.NONE, category=Category.INTERNAL, identifiability=Identifiability.NONE, confidence=0.0,
    rows=0, non_null=0, pattern_matches=0, examined=0, validated=0, distinct_at_least=0, context=False,
    reason="no detector found anything sensitive",
)  # fmt: skip


def measure(
    batches: Iterable[pa.RecordBatch], *, subject: str | None = None, known: Mapping[str, Finding] | None = None
) -> dict[str, Finding]:
    """The findings of a stream about which nothing else, or only this, is known."""
    found: list[Finding] = []
    counted = Uniqueness(lambda: found, subject=subject)
    for batch in batches:
        found = found or [(known or {}).get(n, NOTHING) for n in batch.schema.names]
        found = [replace(f, column=n, rows=f.rows + len(batch)) for f, n in zip(found, batch.schema.names, strict=True)]
        counted.update(batch)
    return {finding.column: finding for finding in counted.complete(found)}


def in_batches(columns: Mapping[str, Any], *, rows: int) -> list[pa.RecordBatch]:
    return pa.table(dict(columns)).to_batches(max_chunksize=rows)


def singled_out(frame: pd.DataFrame, columns: Sequence[str], *, subject: str | None) -> float:
    """The share by its definition: rows whose class holds one subject."""
    told = frame[list(columns)].assign(owner=frame[subject] if subject else range(len(frame)))
    alone = told.groupby(list(columns), dropna=False)["owner"].transform("nunique") == 1
    if len(columns) == 1:
        alone &= frame[columns[0]].notna()
    return float(alone.mean())


# The exact figures


CELLS = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "d"]))


@settings(max_examples=60)
@given(
    table=st.lists(st.tuples(CELLS, CELLS, CELLS, st.integers(0, 5)), min_size=1, max_size=40),
    by_person=st.booleans(),
    batch_rows=st.integers(1, 40),
)
def test_a_small_table_is_counted_exactly(
    table: list[tuple[str | None, str | None, str | None, int]], by_person: bool, batch_rows: int
) -> None:
    subject = "s" if by_person else None
    frame = pd.DataFrame(table, columns=["x", "y", "z", "s"])
    arrays = {name: pa.array(frame[name].tolist()) for name in frame}
    found = measure(in_batches(arrays, rows=batch_rows), subject=subject)

    names = ["x", "y", "z"] if by_person else ["x", "y", "z", "s"]
    few = [n for n in names if found[n].distinct <= 0.8 * len(frame)]
    shares = {c: singled_out(frame, c, subject=subject) for size in (1, 2, 3) for c in combinations(names, size)}
    for name in names:
        assert (found[name].distinct, found[name].distinct_is_exact) == (frame[name].nunique(), True)
        assert found[name].unique_share == pytest.approx(shares[(name,)])
    looked_at = {c: s for c, s in shares.items() if len(c) == 1 or set(c) <= set(few)}
    beyond = {c for c, share in looked_at.items() if share >= BEYOND}
    minimal = {c: shares[c] for c in beyond if not any(set(part) < set(c) for part in beyond)}
    told = {one.columns: one.share for finding in found.values() for one in finding.singles_out}
    assert told == pytest.approx(minimal)


def test_two_rows_of_one_person_are_not_two_people() -> None:
    columns = {"born": ["1", "1", "2", "2"], "person": ["p", "p", "q", "r"]}
    assert measure(in_batches(columns, rows=4), subject="person")["born"].unique_share == 0.5
    assert measure(in_batches(columns, rows=4))["born"].unique_share == 0.0


def test_rows_without_a_person_are_people_of_their_own() -> None:
    columns = {"born": ["1", "1", "2"], "person": pa.array([None, None, "r"], pa.string())}
    assert measure(in_batches(columns, rows=2), subject="person")["born"].unique_share == pytest.approx(1 / 3)


def test_a_smaller_combination_hides_the_larger_ones_that_hold_it() -> None:
    rng = np.random.default_rng(5)
    columns = {name: rng.integers(0, n, 4_000).astype(str) for name, n in (("a", 300), ("b", 300), ("c", 9))}
    found = measure(in_batches(columns, rows=1_000))
    assert {one.columns for finding in found.values() for one in finding.singles_out} == {
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    }


def test_a_column_of_which_nothing_is_known_becomes_a_quasi_identifier_by_a_combination() -> None:
    rng = np.random.default_rng(5)
    columns = {name: rng.integers(0, n, 4_000).astype(str) for name, n in (("a", 300), ("b", 300), ("c", 2))}
    columns["phone"] = np.char.mod("9%09d", np.arange(4_000))
    phone = replace(NOTHING, entity=Entity.PHONE, identifiability=Identifiability.DIRECT, category=Category.PII)
    found = measure(in_batches(columns, rows=1_000), known={"phone": phone})

    assert [found[n].identifiability for n in columns] == ["quasi", "quasi", "none", "direct"]
    assert found["a"].reason.endswith("; it singles people out together with b")
    assert (found["phone"].unique_share, found["phone"].singles_out) == (1.0, ())


def test_few_rows_prove_nothing_about_a_column() -> None:
    columns = {"a": [str(number) for number in range(900)]}
    finding = measure(in_batches(columns, rows=300))["a"]
    assert finding.singles_out
    assert finding.identifiability is Identifiability.NONE


# Cells of every type


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 1, 2, None]),
        pa.array([1.5, 1.5, 2.5, None]),
        pa.array([1.5, 1.5, 2.5, float("nan")]),
        pa.array(["x", " x ", "y", "  "]),
        pa.array(["x", "x", "y", None], pa.large_string()),
        pa.array(["x", "x", "y", None], pa.string_view()),
        pa.array(["x", "x", "y", None]).dictionary_encode(),
        pa.array([1, 1, 2, None]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3]), pa.array(["x", "x", "y", None])),
        pa.array([True, True, False, None]),
        pa.array([0, 0, 1, None], pa.date32()),
        pa.array([0, 0, 1, None], pa.timestamp("us")),
        pa.array([0, 0, 1, None], pa.timestamp("us", "Asia/Kolkata")),
        pa.array([0, 0, 1, None], pa.time64("us")),
        pa.array([0, 0, 1, None], pa.duration("s")),
        pa.array(["1.5", "1.5", "2.5", None]).cast(pa.decimal128(4, 1)),
    ],
    ids=lambda column: str(column.type),
)
def test_equal_cells_are_equal_and_missing_ones_are_missing(column: pa.Array) -> None:
    hashed = hash_cells(column, name="a", position=3)
    assert hashed.present.tolist() == [True, True, True, False]
    assert hashed.cells[0] == hashed.cells[1]
    assert len(set(hashed.cells.tolist())) == 3
    assert set(hashed.distinct.tolist()) == set(hashed.cells[:3].tolist())


def test_the_same_cells_in_two_columns_do_not_cancel_out() -> None:
    values = [str(number) for number in range(2_000)] * 2
    found = measure(in_batches({"a": values, "b": values}, rows=500))
    assert found["a"].unique_share == 0.0
    assert found["a"].singles_out == ()
    assert (
        hash_cells(pa.array(["x"]), name="a", position=0).cells
        != hash_cells(pa.array(["x"]), name="a", position=1).cells
    )


@pytest.mark.parametrize(
    ("column", "distinct", "share"),
    [
        (pa.nulls(1), 0, 0.0),
        (pa.nulls(5_000), 0, 0.0),
        (pa.nulls(5_000, pa.string()), 0, 0.0),
        (pa.array(["only"]), 1, 1.0),
        (pa.array(np.random.default_rng(1).normal(size=4_000)), 4_000, 1.0),
        (pa.array([], pa.string()), 0, 0.0),
    ],
)
def test_odd_columns_are_counted(column: pa.Array, distinct: int, share: float) -> None:
    batch = pa.record_batch({"a": column})
    finding = measure([batch])["a"]
    assert (finding.distinct, finding.unique_share) == (distinct, share)


@pytest.mark.parametrize("coded", [False, True])
def test_text_that_is_not_utf_8_is_refused_without_a_cell(coded: bool) -> None:
    column = pa.array([b"Zorblax \xff"]).view(pa.string())
    with pytest.raises(ColumnNotExaminable, match="not UTF-8") as caught:
        measure([pa.record_batch({"a": column.dictionary_encode() if coded else column})])
    assert "Zorblax" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_small_indices_of_a_dictionary_leave_room_for_what_is_missing() -> None:
    indices = pa.array([*range(127), 126, None], pa.int8())
    column = pa.DictionaryArray.from_arrays(indices, pa.array([str(number) for number in range(127)]))
    finding = measure([pa.record_batch({"a": column})])["a"]
    assert (finding.distinct, finding.unique_share) == (127, pytest.approx(126 / 129))


def test_a_table_without_a_batch_has_nothing_to_add() -> None:
    assert Uniqueness(tuple).complete(()) == ()


# Large tables


def hidden(first: int, rows: int, *, side: int) -> pa.RecordBatch:
    """Rows of a grid: each value of a and of b comes `side` times, each pair once; c has few values."""
    number = np.arange(first, first + rows)
    return pa.record_batch(
        {"a": (number // side).astype(str), "b": (number % side).astype(str), "c": (number % 7).astype(str)}
    )


@pytest.fixture
def lower_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of some ten thousand rows counts as a large one."""
    monkeypatch.setattr(uniqueness, "_EXACT_ROWS", 5_000)
    monkeypatch.setattr(uniqueness, "_SAMPLED_ROWS", 14_000)
    monkeypatch.setattr(uniqueness, "_ROWS_AT_ONCE", 4_096)


def test_a_pair_that_singles_everybody_out_is_found_among_values_that_each_occur_a_thousand_times() -> None:
    batches = (hidden(first, 20_000, side=1_000) for first in range(0, 1_000_000, 20_000))
    found = measure(batches)
    assert (found["a"].distinct, found["b"].distinct, found["a"].unique_share) == (1_000, 1_000, 0.0)
    (pair,) = found["a"].singles_out
    assert pair.columns == ("a", "b")
    assert pair.low <= 1.0 <= pair.high
    assert pair.low > 0.9
    assert found["c"].singles_out == ()


@pytest.mark.usefixtures("lower_limits")
def test_memory_does_not_grow_with_the_rows() -> None:
    def peak(rows: int) -> int:
        tracemalloc.start()
        measure(hidden(first, 5_000, side=1_000) for first in range(0, rows, 5_000))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    small = peak(30_000)
    assert peak(200_000) < 1.3 * small


@pytest.mark.usefixtures("lower_limits")
def test_an_estimate_does_not_depend_on_batches_or_order() -> None:
    rng = np.random.default_rng(9)
    frame = pd.DataFrame({"a": rng.integers(0, 200, 30_000).astype(str), "b": rng.integers(0, 200, 30_000).astype(str)})

    def of(rows: pd.DataFrame, size: int) -> list[tuple[Any, ...]]:
        found = measure(pa.Table.from_pandas(rows, preserve_index=False).to_batches(max_chunksize=size))
        return [(f.distinct, round(f.unique_share, 12), f.singles_out) for f in found.values()]

    assert of(frame, 1_000) == of(frame, 7_777) == of(frame.sample(frac=1, random_state=3), 3_000)


@pytest.mark.parametrize(("classes", "per_person"), [(20_000, 1), (4_000, 1), (20_000, 3)])
def test_the_bound_of_a_share_holds_as_often_as_it_says(classes: int, per_person: int) -> None:
    """In 400 tables; at 99 %, more than 12 misses have a probability of 1e-4."""
    rows, level, missed, errors = 10_000, 4, 0, []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        people = np.repeat(rng.integers(0, classes, rows // per_person), per_person)
        subjects = np.repeat(hash_rows(0, rows // per_person), per_person)
        keys = np.random.default_rng(1_000 + seed).integers(0, 2**64, classes, dtype=np.uint64)[people]
        whole, sample = ClassSample(), ClassSample()
        whole.add(keys, subjects)
        kept = keys < np.uint64(2 ** (64 - level))
        sample.add(keys[kept], subjects[kept])
        truth, found = whole.share(len(people), level=0), sample.share(len(people), level=level)
        assert truth.low == truth.share == truth.high
        missed += not found.low <= truth.share <= found.high
        errors.append(found.share - truth.share)
    assert missed <= 12
    # Unbiased: the mean error lies within four of its standard errors.
    assert abs(np.mean(errors)) < 4 * np.std(errors) / 20
    assert CONFIDENCE == 0.99


@pytest.mark.usefixtures("lower_limits")
@pytest.mark.parametrize("by_person", [False, True])
def test_a_sampled_table_is_told_within_the_bound(by_person: bool) -> None:
    """In 10 tables; at 99 %, more than 3 misses of 20 figures, or 2 of 10, have a probability of 1e-4."""
    missed = looked_at = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        columns = {n: rng.integers(0, size, 20_000).astype(str) for n, size in (("a", 150), ("b", 150), ("c", 12))}
        columns["person"] = np.char.mod("%d", rng.integers(0, 15_000, 20_000))
        subject = "person" if by_person else None
        found = measure(in_batches(columns, rows=2_500), subject=subject)
        frame = pd.DataFrame(columns)
        for one in {one for finding in found.values() for one in finding.singles_out}:
            looked_at += 1
            missed += not one.low <= singled_out(frame, one.columns, subject=subject) <= one.high
            assert one.low < one.share < one.high
    # The pair of a and b, and without a subject column the person's number by itself.
    assert looked_at == (10 if by_person else 20)
    assert missed <= (2 if by_person else 3)


def test_a_sample_of_rows_would_be_caught() -> None:
    """The same bound over sampled rows, whose classes are torn apart, misses nearly always."""
    missed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        people = rng.integers(0, 4_000, 10_000)
        keys, subjects = rng.integers(0, 2**64, 4_000, dtype=np.uint64)[people], hash_rows(0, 10_000)
        whole, torn = ClassSample(), ClassSample()
        whole.add(keys, subjects)
        kept = rng.random(10_000) < 1 / 16
        torn.add(keys[kept], subjects[kept])
        truth, found = whole.share(10_000, level=0).share, torn.share(10_000, level=4)
        missed += not found.low <= truth <= found.high
    assert missed > 30


@pytest.mark.parametrize("true", [1, 999, EXACT_UP_TO])
def test_few_distinct_values_are_counted_exactly(true: int) -> None:
    count = DistinctCount()
    for _ in range(2):
        count.add(hash_rows(0, true))
    assert (count.value(), count.is_exact) == (true, True)


def test_many_distinct_values_are_estimated_within_four_standard_errors() -> None:
    for true in (EXACT_UP_TO + 1, 20_000, 300_000):
        count = DistinctCount()
        for first in range(0, true, 50_000):
            count.add(hash_rows(first, min(50_000, true - first)))
        assert not count.is_exact
        assert count.value() == pytest.approx(true, rel=4 * EXACT_UP_TO**-0.5)


# What is told


def test_no_value_and_no_hash_is_told() -> None:
    canaries = [f"zorblax-{number}" for number in range(40)]
    batch = pa.record_batch({"a": canaries, "b": canaries[::-1]})
    told = str(findings_table(measure([batch]).values()).to_pylist())
    assert "zorblax" not in told
    for number in hash_cells(batch.column(0), name="a", position=0).cells.tolist():
        assert str(number) not in told
