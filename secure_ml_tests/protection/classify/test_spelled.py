"""What is written as it is spoken."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.spelled import find_spelled
from secure_ml.protection.classify.text import CERTAIN, find_spans
from secure_ml.protection.classify.text_search import TextSearch


def found(text: str) -> list[tuple[str, Entity]]:
    return [(text[span.start : span.end], span.entity) for span in find_spelled(text)]


@pytest.mark.parametrize(
    ("text", "what", "entity"),
    [
        ("mob: nine eight four five zero one told", "nine eight four five zero one", Entity.PHONE),
        ("is double nine eight, seven six triple two one", "double nine eight, seven six triple two one", Entity.PHONE),
        ("Nine-Oh-4-five 1 two", "Nine-Oh-4-five 1 two", Entity.PHONE),
        ("one two three four five six seven eight nine one two three four five", None, Entity.ACCOUNT_NUMBER),
        ("send to asha dot rao at mail dot example please", "asha dot rao at mail dot example", Entity.EMAIL),
        ("id is om_w [at] post [dot] co [dot] example", "om_w [at] post [dot] co [dot] example", Entity.EMAIL),
        ("e-mail: j.smith(at)post.example", "j.smith(at)post.example", Entity.EMAIL),
        ("loan a/c LN00123456789 foreclosed", "LN00123456789", Entity.SUBJECT_ID),
        ("cust id CIF00123456, open", "CIF00123456", Entity.SUBJECT_ID),
        ("account: GB-1234567 old", "GB-1234567", Entity.SUBJECT_ID),
        ("Employee code E10234", "E10234", Entity.SUBJECT_ID),
    ],
)  # fmt: skip
def test_what_is_spoken_is_found(text: str, what: str | None, entity: Entity) -> None:
    assert found(text) == [(what or text, entity)]
    assert [s.entity for s in find_spans(text) if s.start < text.index(what or text) + 1 <= s.end] == [entity]


@pytest.mark.parametrize(
    "text",
    [
        "one or two of the three", "chapter four, five and six", "for one two three four five", "at the dot we met",
        "look at mail.example tomorrow", "meet at noon.Then go", "account closed in 2024", "account no more",
        "order code X1", "stone twofold threes", "policy of 2023", "a/c 500 debited",
    ],
)  # fmt: skip
def test_words_are_no_numbers(text: str) -> None:
    assert found(text) == []


def test_nothing_spoken_is_certain() -> None:
    assert all(span.score < CERTAIN for span in find_spelled("one two three four five six, om at post dot example"))


_FAR_TOO_LONG = 60
PIECES = ["one", "double", "9", " ", ", ", "-", " dot ", "[at]", "om", "a/c", "AB1234", "é", "x"]


@settings(max_examples=100, deadline=None)
@given(text=st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
def test_a_column_of_texts_has_what_a_single_text_has(text: str) -> None:
    assert TextSearch().spans([text]) == [find_spans(text)]


@pytest.mark.parametrize("unit", ["one ", " dot ", "om.", "om[at]", "id A1", "a/c ", "9 "])
def test_a_text_of_a_megabyte_costs_linear_time(unit: str) -> None:
    started = time.process_time()
    find_spelled(unit * (2**20 // len(unit)))
    # A second or two; whatever grows with the square would need hours.
    assert time.process_time() - started < _FAR_TOO_LONG
