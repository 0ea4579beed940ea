"""The secret numbers, against another implementation of the same function."""

import unicodedata

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.policy.labels import Entity
from secure_ml.protection.mask.keyed_choice import ChoiceKeyError, KeyedChoice

KEY = bytes(range(32))


def reference(purpose: bytes, value: str) -> list[int]:
    code = CMAC(AES(KEY))
    code.update(purpose + bytes(16 - len(purpose) % 16) + value.encode())
    made = code.finalize()
    return [int.from_bytes(made[:8], "big"), int.from_bytes(made[8:], "big")]


@settings(max_examples=50, deadline=None)
@given(
    purpose=st.text("abc:_", min_size=1, max_size=40),
    values=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=5),
)
def test_the_numbers_are_halves_of_the_code_of_purpose_and_value(purpose: str, values: list[str]) -> None:
    texts = pa.array([*values, *values], pa.string())
    numbers = KeyedChoice(purpose, KEY).numbers(texts, Entity.SUBJECT_ID)
    assert numbers.tolist() == [reference(purpose.encode(), unicodedata.normalize("NFC", v)) for v in values] * 2


def test_a_missing_value_disturbs_no_other_and_a_column_of_none_has_its_length() -> None:
    choice = KeyedChoice("p", KEY)
    alone = choice.numbers(pa.array(["a", "b"]), Entity.NONE)
    beside = choice.numbers(pa.array([None, "b", None, "a"]), Entity.NONE)
    assert beside[[3, 1]].tolist() == alone.tolist()
    assert choice.numbers(pa.array([None, None], pa.string()), Entity.NONE).shape == (2, 2)
    assert choice.numbers(pa.array([], pa.string()), Entity.NONE).shape == (0, 2)


def test_a_key_of_another_length_is_refused_and_no_key_is_shown() -> None:
    for length in (0, 16, 31, 33):
        with pytest.raises(ChoiceKeyError, match="32 bytes"):
            KeyedChoice("p", bytes(length))
    assert repr(KEY) not in repr(KeyedChoice("p", KEY))
