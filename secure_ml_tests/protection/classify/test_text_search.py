"""A column of texts: what one text's search finds, found for all of them."""

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.spacy_model import language_model
from secure_ml.protection.classify.text import find_spans
from secure_ml.protection.classify.text_search import TextSearch
from secure_ml_tests.protection.classify.language_models import install

PIECES = [
    *("+91 98765 43210", "2341 2341 2346", "4111 1111 1111 1111", "tamara@mail.example", "10.1.2.3", "ABCPE1234F"),
    *("Tamara Olsen", "Chicago", "12 Lake Road", "Datum Ltd", "https://mail.example/x", "born 12/05/1990"),
    *(" ", " ", "\n", "\u200b", "\u200d", "x", "\u0967\u0968", "\uff11", "-", ",", "\u202e"),
]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), max_size=4))
def test_a_column_is_searched_as_each_of_its_texts_is(texts: list[str]) -> None:
    assert TextSearch().spans(texts) == [find_spans(text) for text in texts]


def test_many_texts_are_searched_as_few_are() -> None:
    texts = [
        f"{words} {number}" for number in range(100) for words in ("call 98765 432", "card 4111 1111 1111", "file")
    ]
    texts += [f"x{number}@mail.example, \u0967{number}" for number in range(100)]
    assert TextSearch().spans(texts) == [find_spans(text) for text in texts]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("unit", ["9", "Tamara, ", "\u0967"])
def test_a_cell_of_a_megabyte_costs_linear_time(unit: str) -> None:
    TextSearch().spans([unit * (1_000_000 // len(unit))])


def test_a_model_adds_names_and_the_dictionary_keeps_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    model = language_model(install(tmp_path, {"PERSON": ["qworx"], "ORG": ["tamara olsen"]}, name="en_beside"))
    text = "spoke to qworx and tamara olsen"
    (spans,) = TextSearch(model).spans([text])
    assert [(span.entity, text[span.start : span.end]) for span in spans] == [
        (Entity.PERSON_NAME, "qworx"),
        (Entity.PERSON_NAME, "tamara olsen"),
    ]
