import random
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import luhn, verhoeff
from stdnum.gb import nhs
from stdnum.iso7064 import mod_97_10
from stdnum.us import rtn

from secure_ml.protection.classify import checksums

SEPARATORS = st.sampled_from(("", "", "", " ", "-", ".", " - "))
NUMBERS = st.text("0123456789", min_size=1, max_size=24)
WORDS = st.text(checksums.DIGITS_AND_LETTERS, min_size=1, max_size=34)


def _rotated(value: str) -> bool:
    return len(value) > 4 and bool(mod_97_10.is_valid(value[4:] + value[:4]))


CASES: dict[str, tuple[Callable[[pa.Array], checksums.Booleans], Callable[[str], bool], st.SearchStrategy[str]]] = {
    "luhn": (checksums.luhn, luhn.is_valid, NUMBERS),
    "luhn with a prefix": (
        lambda values: checksums.luhn(values, prefix="80840"),
        lambda value: luhn.is_valid(f"80840{value}"),
        NUMBERS,
    ),
    "luhn modulo 36": (
        lambda values: checksums.luhn(values, alphabet=checksums.DIGITS_AND_LETTERS),
        lambda value: luhn.is_valid(value, checksums.DIGITS_AND_LETTERS),
        WORDS,
    ),
    "verhoeff": (checksums.verhoeff, verhoeff.is_valid, NUMBERS),
    "mod 97-10": (checksums.iso7064_mod97, mod_97_10.is_valid, WORDS),
    "mod 97-10 of an IBAN": (lambda values: checksums.iso7064_mod97(values, rotated=4), _rotated, WORDS),
    "nhs number": (checksums.nhs_number, nhs.is_valid, st.text("0123456789", min_size=9, max_size=11)),
    "routing number": (checksums.routing_number, rtn.is_valid, st.text("0123456789", min_size=8, max_size=10)),
    "palindromes": (checksums.palindromes, lambda value: value == value[::-1], st.text("01", min_size=1, max_size=6)),
}


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whole_arrays_get_the_answers_of_one_call_a_value(case: str, data: st.DataObject) -> None:
    ours, theirs, shape = CASES[case]
    values = data.draw(st.lists(shape, max_size=12))
    # A random number seldom passes: with each last character in turn, some do.
    last = checksums.DIGITS_AND_LETTERS if shape is WORDS else checksums.DIGITS
    values += [value[:-1] + character for value in values[:3] for character in last]

    assert ours(pa.array(values, pa.large_string())).tolist() == [theirs(value) for value in values]


@settings(max_examples=25, deadline=None)
@given(NUMBERS.filter(lambda n: len(n) > 1), st.lists(SEPARATORS, min_size=24, max_size=24), st.integers(0, 2**32))
def test_a_valid_number_passes_however_it_is_grouped_and_fails_with_one_digit_changed(
    body: str, separators: list[str], seed: int
) -> None:
    source = random.Random(seed)
    position, shift = source.randrange(len(body)), source.randint(1, 9)
    for check, valid in (
        (checksums.luhn, body + luhn.calc_check_digit(body)),
        (checksums.verhoeff, body + verhoeff.calc_check_digit(body)),
    ):
        wrong = valid[:position] + str((int(valid[position]) + shift) % 10) + valid[position + 1 :]
        grouped = "".join(digit + separator for digit, separator in zip(valid, separators, strict=False))
        grouped += valid[len(separators) :]
        assert check(pa.array([valid, grouped, wrong])).tolist() == [True, True, False]


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string()])
def test_slices_chunks_and_separators_are_read_right(type_: pa.DataType) -> None:
    values = pa.array(["junk", "4111 1111", "", "12", "tail"], type_).slice(1, 3)
    chunked = pa.chunked_array([values.slice(0, 1), values.slice(1)])
    for array in (values, chunked):
        digits, lengths = checksums.digits_of(array)
        assert digits.tolist() == [[4, *[1] * 7], [0] * 8, [0] * 6 + [1, 2]]
        assert lengths.tolist() == [8, 0, 2]


@pytest.mark.parametrize("case", CASES)
def test_no_digit_passes_no_check_and_no_value_gives_no_answer(case: str) -> None:
    ours, _, _ = CASES[case]

    assert ours(pa.array([], pa.large_string())).dtype == np.bool_
    assert len(ours(pa.array([], pa.large_string()))) == 0
    if case != "palindromes":
        assert ours(pa.array(["", "--"], pa.large_string())).tolist() == [False, False]
