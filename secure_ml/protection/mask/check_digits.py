"""The check characters that a number must have, for many numbers at once.

Belongs here: by entity, where they stand and how they follow from the others. Must stay out: whether a text has the
entity's shape (canonical), and what is done about a wrong one.

Characters are numerals here: digits are 0 to 9, letters 10 to 35.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Entity

Numerals = npt.NDArray[np.uint8]

_DIGITS = 10

NONE = np.uint8(255)
"""Stands for a check character where no number has one."""

# Multiplication in the dihedral group D5, and Verhoeff's permutation (J. Verhoeff, 1969).
_D5 = np.array(
    [[(i + j) % 5 + 5 * (j // 5) if i < 5 else (i - j) % 5 + 5 * (1 - j // 5) for j in range(10)] for i in range(10)],
    dtype=np.uint8,
)
_VERHOEFF = np.array([1, 5, 7, 6, 2, 8, 3, 0, 9, 4], dtype=np.uint8)
_INVERSE = np.argmin(_D5, axis=0).astype(np.uint8)


@dataclass(frozen=True)
class CheckDigits:
    """An entity's check characters.

    Attributes:
        lengths: how many letters and digits a number may have.
        first: where its check characters begin, counted from the end if negative.
        count: how many there are.
        of: the check characters of the others, shape (numbers, count); `NONE` where there are none.
        letters: how many of the others, from the first on, may be letters.
    """

    lengths: range
    first: int
    count: int
    of: Callable[[Numerals], Numerals]
    letters: int = 0

    def takes(self, radices: Sequence[int]) -> bool:
        """Whether numbers of a form, by the radix of each place, may have these check characters."""
        if len(radices) not in self.lengths:
            return False
        others, _ = self.places(len(radices))
        return all(radices[place] == _DIGITS for place in others[self.letters :])

    def places(self, length: int) -> tuple[list[int], list[int]]:
        """Where, in a number of that length, the others stand, and the check characters."""
        first = self.first % length
        check = list(range(first, first + self.count))
        return [place for place in range(length) if place not in check], check


def _luhn(base: int, *, prefix: int = 0) -> Callable[[Numerals], Numerals]:
    """ISO/IEC 7812; `prefix` is what digits that are not written add to the sum."""
    doubled = np.array([sum(divmod(2 * value, base)) for value in range(base)], dtype=np.uint16)

    def of(others: Numerals) -> Numerals:
        sums = np.full(len(others), prefix, np.uint16)
        for place in range(others.shape[1]):
            digits = others[:, -1 - place]
            sums += digits if place % 2 else doubled.take(digits)
        return _column((base - sums % base) % base)

    return of


def _verhoeff(others: Numerals) -> Numerals:
    state, power = np.zeros(len(others), np.uint8), _VERHOEFF
    for place in range(others.shape[1] - 1, -1, -1):
        state, power = _D5[state, power[others[:, place]]], _VERHOEFF[power]
    check: Numerals = _INVERSE[state].reshape(-1, 1)
    return check


def _weighted(weights: range | tuple[int, ...], modulus: int) -> Callable[[Numerals], Numerals]:
    def of(others: Numerals) -> Numerals:
        sums = np.zeros(len(others), np.uint16)
        for place, weight in enumerate(weights):
            sums += others[:, place] * np.uint16(weight)
        check = (modulus - sums % modulus) % modulus
        return _column(np.where(check < 10, check, NONE))

    return of


def _mod97(others: Numerals) -> Numerals:
    """ISO 13616: the country's letters and two zeros come last, and what is left of 98 are the check digits."""
    remainder = np.zeros(len(others), np.int64)
    for place in (*range(2, others.shape[1]), 0, 1):
        value = others[:, place].astype(np.int64)
        remainder = (remainder * np.where(value < 10, 10, 100) + value) % 97
    return np.stack(np.divmod(98 - remainder * 100 % 97, 10), axis=1).astype(np.uint8)


def _column(values: npt.NDArray[Any]) -> Numerals:
    return values.astype(np.uint8).reshape(-1, 1)


CHECK_DIGITS: Mapping[Entity, CheckDigits] = MappingProxyType(
    {
        Entity.AADHAAR: CheckDigits(range(12, 13), -1, 1, _verhoeff),
        Entity.AADHAAR_VIRTUAL_ID: CheckDigits(range(16, 17), -1, 1, _verhoeff),
        Entity.CARD: CheckDigits(range(12, 20), -1, 1, _luhn(10)),
        # The prefix 80840 of NPIs adds 24 to the sum.
        Entity.NPI: CheckDigits(range(10, 11), -1, 1, _luhn(10, prefix=24)),
        Entity.GSTIN: CheckDigits(range(15, 16), -1, 1, _luhn(36), letters=14),
        # Cards of before the year 2000 have another form, and none.
        Entity.VOTER_ID: CheckDigits(range(10, 11), -1, 1, lambda others: _luhn(10)(others[:, 3:]), letters=3),
        Entity.NHS_NUMBER: CheckDigits(range(10, 11), -1, 1, _weighted(range(10, 1, -1), 11)),
        Entity.ROUTING_NUMBER: CheckDigits(range(9, 10), -1, 1, _weighted((3, 7, 1, 3, 7, 1, 3, 7), 10)),
        Entity.IBAN: CheckDigits(range(15, 35), 2, 2, _mod97, letters=32),
    }
)
"""Entities with check characters; a PAN's last letter is one too, but how it is made was never published."""
