import random
import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.protection.classify.detectors import standard_detectors
from secure_ml.protection.classify.makeup import bounds_of, makeup_of
from secure_ml_tests.protection.classify.people import people
from secure_ml_tests.protection.classify.test_detectors import NEAR_MISSES, POSITIVES

DETECTORS = standard_detectors()


def admitted(expression: str, *values: str) -> list[bool]:
    answers: list[bool] = bounds_of(expression).admit(makeup_of(pa.array(values, pa.large_string()))).tolist()
    return answers


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("09azAZ@.:-+/(), _#$é\u017f\n\t", max_size=16), max_size=20))
def test_no_value_of_a_detectors_shape_is_ruled_out(texts: list[str]) -> None:
    known = [value for values in (*POSITIVES.values(), *NEAR_MISSES.values()) for value in values]
    values = pa.array([*texts, *known], pa.large_string())
    makeup = makeup_of(values)
    for detector in DETECTORS:
        matches = detector.matches(values).to_numpy(zero_copy_only=False)
        assert not (matches & ~detector.could_match(makeup)).any(), detector.entity


def test_most_columns_are_spared_most_detectors() -> None:
    asked = {}
    for name, column in zip((table := people(200)).column_names, table.columns, strict=True):
        makeup = makeup_of(column.combine_chunks())
        asked[name] = sum(bool(detector.could_match(makeup).any()) for detector in DETECTORS)
    assert asked["gender"] < len(DETECTORS) / 2
    assert asked["annual_income"] < len(DETECTORS) / 2
    assert asked["pan"] < len(DETECTORS) / 2


@settings(max_examples=80, deadline=None)
@given(st.text("09aZ@. _-é\n", max_size=8), st.integers(0, 2**32))
def test_what_an_expression_matches_keeps_to_its_bounds(value: str, seed: int) -> None:
    parts = (
        r"[0-9]{2,3}",
        r"(?:a|@0)?",
        r"[^@\s]*",
        r"\w+",
        r"[A-Z]",
        r"\.",
        r"(?:z|9){1,2}",
        r".",
        r"\S",
        r"[\d_]?",
        "s",
    )
    source = random.Random(seed)
    expression = "".join(source.choices(parts, k=source.randint(1, 4)))
    if value.isascii() and re.fullmatch(expression, value, re.IGNORECASE | re.DOTALL):
        assert admitted(expression, value) == [True]


@pytest.mark.parametrize(
    ("expression", "possible", "impossible"),
    [
        (r"[A-Z]{5}[0-9]{4}[A-Z]", "zzzzz0000z", "ABCPE12345"),
        (r"[0-9]{4} ?[0-9]{4}", "1111 2222", "1111-2222"),
        (r"[^@]+@[^@]+", "a@b", "a.b"),
        (r"(?:ab|cd)?e", "cde", "ab1"),
        (r"[\p{L}]+[0-9]", "abc1", "1"),
        (r"a{2,}", "aaaaaaaa", "a"),
    ],
)
def test_a_value_that_cannot_match_is_told_by_what_it_is_made_of(
    expression: str, possible: str, impossible: str
) -> None:
    assert admitted(expression, possible, impossible) == [True, False]


def test_what_python_cannot_read_and_what_is_not_ascii_rules_out_nothing() -> None:
    assert admitted(r"\p{Greek}(", "x", "") == [True, True]
    assert admitted(r"[0-9]", "é", "x") == [True, False]
    # Without regard to case, a long s is an s.
    assert admitted("\u017f", "S", "1") == [True, False]


def test_counts_hold_for_empty_and_for_huge_values() -> None:
    makeup = makeup_of(pa.array(["", "a1" * 100_000, "", "7-b"], pa.string()).slice(0, 4))
    assert makeup.lengths.tolist() == [0, 200_000, 0, 3]
    assert makeup.digits.tolist() == [0, 100_000, 0, 1]
    assert makeup.letters.tolist() == [0, 100_000, 0, 1]
    assert makeup_of(pa.array([], pa.string())).kinds.tolist() == []
