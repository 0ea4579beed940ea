"""The intersection attack within one installation: a token that is the same in every version."""

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.protection.anonymity.counting import ClassCounter, Classes
from secure_ml.protection.anonymity.measures import k_anonymity
from secure_ml.protection.anonymity.together import Together, together


def version(rows: list[tuple[str, str]], *, subject: str | None = "who") -> Classes:
    """Rows of (subject, quasi-identifier)."""
    counter = ClassCounter(["zip"], sensitive=[], subject=subject)
    who, places = [list(column) for column in zip(*rows, strict=True)] if rows else ([], [])
    counter.add(pa.RecordBatch.from_pydict({"who": pa.array(who, pa.string()), "zip": pa.array(places, pa.string())}))
    return counter.classes()[0]


def test_two_versions_of_k_single_out_whom_neither_does() -> None:
    one = [(who, "a" if who in "ABC" else "b") for who in "ABCDEF"]
    # B moved and C left; whoever knows that A stayed finds her, among three in either version.
    other = [(who, "a" if who in "AXY" else "b") for who in "ABDEFXY"]
    versions = [version(one), version(other)]
    assert [k_anonymity(found) for found in versions] == [3, 3]
    assert together(versions[:1], k=3) == Together(6, 0, 0)
    # A, B and C are each alone; X and Y are two; D, E and F are three in both.
    assert together(versions, k=3) == Together(8, 5, 5)


def test_several_rows_of_one_version_tell_together_too() -> None:
    rows = [*((who, "a") for who in "ABC"), *((who, "b") for who in "CDE")]
    assert k_anonymity(version(rows)) == 3
    assert together([version(rows)], k=2) == Together(5, 1, 1)


def test_without_a_subject_nobody_can_be_followed() -> None:
    assert together([version([("A", "a")], subject=None)], k=2) is None
    assert together([version([])], k=2) == Together(0, 0, 0)


ROWS = st.lists(st.tuples(st.sampled_from("ABCDEFGH"), st.sampled_from("xyz")), max_size=12)


@settings(max_examples=60)
@given(st.lists(ROWS, min_size=1, max_size=4), st.integers(2, 4))
def test_it_counts_who_is_in_all_of_the_same_classes(tables: list[list[tuple[str, str]]], k: int) -> None:
    of: dict[str, set[Any]] = {}
    for number, rows in enumerate(tables):
        for who, place in rows:
            of.setdefault(who, set()).add((number, place))
    alike = [sum(other == mine for other in of.values()) for mine in of.values()]
    expected = Together(len(of), sum(len(mine) > 1 for mine in of.values()), sum(count < k for count in alike))
    assert together([version(rows) for rows in tables], k=k) == expected
