import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.protection.classify.candidates import certain_in, could_hold
from secure_ml.protection.classify.cells import fold
from secure_ml.protection.classify.makeup import makeup_of
from secure_ml.protection.classify.text import certain_entities, certain_patterns
from secure_ml_tests.protection.classify.people import people

PIECES = (
    "2341 2341 2346", "2341 2341 2345", "ABCPE1234F", "4111 1111 1111 1111", "GB82WEST12345698765432",
    "ravi.k@mail.example.in", "+91-98765 43210", "a/c no", "50100012345678", "10.1.2.3", "MH 12 AB 1234",
    "022-27700000", "(415) 555-2671", "020277000", "passport", "M1234567", "ghp_" + "a1B2" * 9, "00:1B:44:11:3A:B7",
    "27AAPFU0939F1ZV", "HDFC0001234", "dob", "12/05/1990", "pin", "411001", "Call", "x", "9", "-", "(", "\n", "देखा",
)  # fmt: skip


def expected(texts: list[str]) -> dict[object, list[bool]]:
    found = [certain_entities(text) for text in texts]
    return {entity: [entity in there for there in found] for entity in sorted(set().union(*found))}


def searched(texts: pa.Array) -> dict[object, list[bool]]:
    return {entity: found.tolist() for entity, found in certain_in(texts, makeup_of(texts)).found.items()}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from((" ", "", ", "))), max_size=6), max_size=6))
def test_a_column_is_searched_with_the_result_of_a_search_of_each_text(made: list[list[tuple[str, str]]]) -> None:
    texts = [fold("".join(piece + gap for piece, gap in parts)) for parts in made]

    assert searched(pa.array(texts, pa.large_string())) == expected(texts)


def test_remarks_are_searched_with_the_result_of_a_search_of_each_text() -> None:
    texts = people(300)["officer_remarks"].combine_chunks()
    assert searched(texts) == expected(texts.to_pylist()) != {}


def test_every_pattern_that_can_be_certain_is_put_to_re2_and_rules_plain_words_out() -> None:
    plain = pa.array(["papers were seen and found in good order"])
    assert [p.detector.entity for p in certain_patterns() if could_hold(plain, p.expression).any()] == []


@pytest.mark.parametrize(
    ("expression", "texts", "candidates"),
    [
        (re.compile(r"(?<![a-z])ab(?![a-z])"), ["ab", "x ab!", "xab", "abx", "AB"], [True, True, False, False, False]),
        (re.compile(r"(?=[(]x\)|(?:y))ab", re.IGNORECASE), ["AB y", "AB"], [True, False]),
        (re.compile(r"(?=[])x|]{3})[]x|]+z|q"), ["]x|z", "]xz", "q"], [True, False, True]),
        (
            re.compile(r"(?:(?=\(b[^]|)]c)..|d)(?![e])"),
            ["(bxc", "(b)c", "d", "de", "f"],
            [True, False, True, False, False],
        ),
        (re.compile(r"a{40}[b]{2,}c{2,90}d{3}"), ["a" * 40 + "bbbccccddd", "abccddd"], [True, False]),
        (re.compile(r"(?:(?=abc)a|d)bc"), ["abc", "dbc", "ab"], [True, True, False]),
        (re.compile(r"(?:(?=abc)a)+"), ["abc", "a", "b"], [True, True, False]),
        (re.compile(r"a.b"), ["a\nb", "a b"], [False, True]),
        (re.compile(r"a.b", re.DOTALL), ["a\nb", "ab"], [True, False]),
        (re.compile(r"(a)\1"), ["none", "aa"], [True, True]),
        (re.compile(r"\d"), ["é", "e"], [True, False]),
    ],
)
def test_a_wider_question_than_the_expression_never_loses_a_text(
    expression: re.Pattern[str], texts: list[str], candidates: list[bool]
) -> None:
    assert could_hold(pa.array(texts), expression).tolist() == candidates
