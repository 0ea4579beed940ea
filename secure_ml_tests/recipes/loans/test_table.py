import itertools
import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from secure_ml.recipes.loans import SCHEMA, RecipeError, generate_loans, table
from secure_ml.recipes.loans.people import applicant_numbers


def rows_of(**arguments: Any) -> Any:
    return pa.Table.from_batches([batch for _, batch in generate_loans(**arguments)], SCHEMA)


def test_the_same_seed_gives_the_same_rows():
    assert rows_of(rows=500, months=3, seed=4).equals(rows_of(rows=500, months=3, seed=4))


def test_another_seed_gives_other_people():
    one, other = (set(rows_of(rows=500, months=3, seed=seed).column("pan").to_pylist()) for seed in (4, 5))
    assert len(one & other) < 3


@pytest.mark.parametrize("block_rows", [64, 1000, 100_000])
def test_rows_do_not_depend_on_the_size_of_blocks(monkeypatch: pytest.MonkeyPatch, block_rows: int):
    expected = rows_of(rows=3000, months=2, seed=4)
    monkeypatch.setattr(table, "BLOCK_ROWS", block_rows)
    assert rows_of(rows=3000, months=2, seed=4).equals(expected)


def test_rows_do_not_depend_on_how_the_stream_is_consumed():
    whole = list(generate_loans(rows=3000, months=6, seed=4))
    part = list(itertools.islice(generate_loans(rows=3000, months=6, seed=4), 3))
    first, second = generate_loans(rows=3000, months=6, seed=4), generate_loans(rows=3000, months=6, seed=4)
    interleaved = [pair for pairs in zip(first, second, strict=True) for pair in pairs]
    assert all(a[1].equals(b[1]) for a, b in zip(part, whole, strict=False))
    assert all(pair[1].equals(whole[i // 2][1]) for i, pair in enumerate(interleaved))


@pytest.mark.parametrize(("rows", "months"), [(12, 12), (100, 12), (40_001, 2)])
def test_months_share_the_rows_exactly(rows: int, months: int):
    counts: dict[str, int] = {}
    for month, batch in generate_loans(rows=rows, months=months, seed=1, first_month="2023-11"):
        counts[month] = counts.get(month, 0) + batch.num_rows
    assert sum(counts.values()) == rows
    assert max(counts.values()) - min(counts.values()) <= 1
    assert list(counts) == sorted(counts)
    assert len(counts) == months


def test_dates_ascend_and_lie_in_their_month():
    for month, batch in generate_loans(rows=1200, months=14, seed=1, first_month="2023-12"):
        dates = batch.column("application_date").to_pylist()
        assert dates == sorted(dates)
        assert {date[:7] for date in dates} == {month}


def test_an_applicant_who_returns_bears_the_number_of_their_first_application():
    owners = applicant_numbers(9, np.arange(20_000, dtype=np.uint64))
    assert np.array_equal(applicant_numbers(9, owners), owners)
    assert (owners <= np.arange(20_000)).all()
    assert np.array_equal(applicant_numbers(9, np.array([777, 19_999], dtype=np.uint64)), owners[[777, 19_999]])


def test_memory_does_not_grow_with_rows():
    """At most one block of 16,384 rows is alive, whatever the total."""
    peaks = [_peak_bytes(rows) for rows in (50_000, 300_000)]
    assert peaks[1] < 1.3 * peaks[0]
    assert peaks[1] < 60_000_000


def _peak_bytes(rows: int) -> int:
    held = 0
    tracemalloc.start()
    for _, _ in generate_loans(rows=rows, months=2, seed=1):
        held = max(held, pa.total_allocated_bytes())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak + held


@pytest.mark.parametrize(
    "arguments",
    [
        {"rows": 5, "months": 6},
        {"rows": 5, "months": 0},
        {"rows": 10**9 + 1, "months": 12},
        {"rows": 10, "months": 1, "first_month": "2024-13"},
        {"rows": 10, "months": 1, "first_month": "January"},
    ],
)
def test_arguments_out_of_range_are_refused_at_once(arguments: dict[str, Any]):
    with pytest.raises(RecipeError, match="must"):
        generate_loans(seed=1, **arguments)
