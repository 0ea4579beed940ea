"""Known answers for every expectation, on clean and dirty cells."""

from typing import Any

import pytest

from secure_ml.protection.quality import QualityError
from secure_ml_tests.protection.quality.tables import ROWS, inspected

# column, expectation, (missing, unexpected), share, words
KNOWN: tuple[tuple[dict[str, Any], tuple[int, int], float, str], ...] = (
    ({"column": "customer", "expect": "not_null"}, (1, 1), 5 / 6, "is present"),
    ({"column": "email", "expect": "not_null"}, (2, 2), 4 / 6, "is present"),
    ({"column": "email", "expect": "matches", "pattern": "[a-z]@mail"}, (2, 1), 3 / 4, "matches [a-z]@mail"),
    ({"column": "email", "expect": "matches", "pattern": "mail"}, (2, 4), 0.0, "matches mail"),
    ({"column": "email", "expect": "matches", "pattern": "x|no addr"}, (2, 3), 1 / 4, "matches x|no addr"),
    ({"column": "email", "expect": "matches", "pattern": "x|address"}, (2, 4), 0.0, "matches x|address"),
    ({"column": "email", "expect": "matches", "pattern": "(?i)(NO) ADD"}, (2, 3), 1 / 4, "matches (?i)(NO) ADD"),
    ({"column": "agreed", "expect": "in_set", "values": ["Y", "N"]}, (1, 1), 4 / 5, "is one of Y, N"),
    ({"column": "approved", "expect": "in_set", "values": [" approved"]}, (1, 2), 3 / 5, "is one of approved"),
    ({"column": "born", "expect": "parses"}, (2, 1), 3 / 4, "reads as date"),
    ({"column": "score", "expect": "parses"}, (0, 1), 5 / 6, "reads as integer"),
    (
        {"column": "score", "expect": "between", "minimum": 300, "maximum": 900},
        (0, 3), 3 / 6, "is a number from 300 to 900",
    ),
    ({"column": "score", "expect": "between", "minimum": 300}, (0, 2), 4 / 6, "is a number of at least 300"),
    ({"column": "score", "expect": "between", "maximum": 900}, (0, 2), 4 / 6, "is a number of at most 900"),
    (
        {"column": "income", "expect": "between", "minimum": 0, "maximum": 1e7},
        (1, 2), 3 / 5, "is a number from 0 to 10,000,000",
    ),
    ({"column": "born", "expect": "between", "minimum": 0}, (2, 4), 0.0, "is a number of at least 0"),
)  # fmt: skip


def test_every_expectation_counts_missing_and_unexpected_cells_as_documented() -> None:
    report = inspected(*(expectation for expectation, *_ in KNOWN))
    for (expectation, counts, share, words), result in zip(KNOWN, report.expectations, strict=True):
        assert (result.column, result.expectation) == (expectation["column"], words)
        assert (result.element_count, result.missing_count, result.unexpected_count) == (len(ROWS), *counts), words
        assert result.share == pytest.approx(share, abs=1e-12)


def test_mostly_passes_at_the_bound_itself_and_fails_above_it() -> None:
    parses = {"column": "born", "expect": "parses"}
    at, above = inspected({**parses, "mostly": 0.75}, {**parses, "mostly": 0.7501}).expectations
    assert at.passed
    assert not above.passed


def test_a_failing_blocking_expectation_blocks() -> None:
    report = inspected({"column": "score", "expect": "parses"}, {"column": "score", "expect": "not_null"})
    assert [result.passed for result in report.expectations] == [False, True]
    assert (report.schema_passed, report.quality_passed, report.quality_blocking_failed) == (True, False, True)


def test_a_failing_expectation_that_only_warns_does_not_block() -> None:
    report = inspected({"column": "score", "expect": "parses", "blocking": False})
    assert (report.quality_passed, report.quality_blocking_failed) == (False, False)


def test_a_column_without_a_present_cell_meets_all_but_presence() -> None:
    asked: tuple[dict[str, Any], ...] = (
        {"expect": "parses"},
        {"expect": "in_set", "values": ["x"]},
        {"expect": "between", "minimum": 1},
        {"expect": "not_null"},
    )
    rows = [{**row, "income": None} for row in ROWS]
    report = inspected(*({"column": "income", **expectation} for expectation in asked), rows=rows)
    assert [result.share for result in report.expectations] == [1, 1, 1, 0]
    assert [result.passed for result in report.expectations] == [True, True, True, False]


def test_long_lists_are_shortened_in_words_and_whole_in_judgement() -> None:
    values = [f"v{i}" for i in range(20)] + ["Y", "N", "n"]
    (result,) = inspected({"column": "agreed", "expect": "in_set", "values": values}).expectations
    assert result.passed
    assert result.expectation == "is one of v0, v1, v2, v3, v4, v5, v6, v7 and 15 more"


@pytest.mark.parametrize("pattern", ["(?=a)b", "(", "a)(b"])
def test_a_pattern_that_is_not_re2_is_refused_before_any_cell_is_read(pattern: str) -> None:
    with pytest.raises(QualityError, match=r"column 'email'.*RE2") as caught:
        inspected({"column": "email", "expect": "matches", "pattern": pattern}, rows=())
    assert caught.value.__cause__ is None


def test_a_pattern_that_would_keep_a_backtracking_matcher_busy_for_ever_costs_nothing() -> None:
    rows = [{**row, "email": "a" * 5_000 + "!"} for row in ROWS]
    (result,) = inspected({"column": "email", "expect": "matches", "pattern": "(a+)+$"}, rows=rows).expectations
    assert result.unexpected_count == len(ROWS)
