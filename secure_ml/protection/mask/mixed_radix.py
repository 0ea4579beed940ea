"""A permutation of all values of one form, each place of which has a radix of its own.

Belongs here: how FF1 is applied to such a form. Must stay out: characters, and which of them make a form.

A form of one radix is FF1's own domain. A mixed form is counted: its values are the integers below the product N of
its radices. FF1 permutes the integers below r^n, where n is the least number of numerals, from 2, for which r, the n-th
root of N rounded up, is at most 65536; a result that is N or more is encrypted again until one is below N (cycle
walking: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). From a million on r^n is at most 0.3 % above
N.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.protection.mask.fpe import FF1, SMALLEST_DOMAIN

Numerals = npt.NDArray[Any]

_LARGEST_RADIX = 2**16
_LARGEST_RUN = 2**31


class MixedRadixCipher:
    """Permutes the values of one form under a key and a tweak.

    Args:
        key: 32 secret bytes.
        tweak: not secret; the same value under another tweak has another ciphertext.
        radices: of each place, 2 to 65536.

    Raises:
        SmallDomain: the form has fewer than a million values.
    """

    def __init__(self, key: bytes, tweak: bytes, radices: Sequence[int]) -> None:
        self._tweak, self._radices = tweak, tuple(radices)
        self._size = prod(radices)
        self._mixed = len(set(radices)) > 1
        self._radix, self._length = _shape(self._size) if self._mixed else (radices[0], len(radices))
        self._cipher, self._runs = FF1(key, self._radix), _runs(self._radices)

    def permuted(self, numerals: Numerals, *, decrypt: bool) -> Numerals:
        """The values encrypted or decrypted; shape (values, places)."""
        crypt = self._cipher.decrypt if decrypt else self._cipher.encrypt
        if not self._mixed:
            return crypt(numerals, self._tweak)
        counted = crypt(self._counted(numerals), self._tweak)
        outside = np.flatnonzero(~self._below_size(counted))
        while len(outside):
            counted[outside] = crypt(counted[outside], self._tweak)
            outside = outside[~self._below_size(counted[outside])]
        return self._uncounted(counted)

    def _counted(self, numerals: Numerals) -> Numerals:
        """The values as integers: numerals of the radix r, the most significant first, by Horner's rule."""
        base = np.uint64(self._radix)
        counted = [np.zeros(len(numerals), np.uint64) for _ in range(self._length)]
        for places in self._runs:
            run = np.zeros(len(numerals), np.uint32)
            for place in places:
                run = run * np.uint32(self._radices[place]) + numerals[:, place]
            carry = run.astype(np.uint64)
            size = np.uint64(prod(self._radices[place] for place in places))
            for index in range(self._length - 1, -1, -1):
                total = counted[index] * size + carry
                carry = total // base
                counted[index] = total - carry * base
        return np.stack(counted, axis=1)

    def _uncounted(self, counted: Numerals) -> Numerals:
        """The inverse of `_counted`, by long division."""
        base = np.uint64(self._radix)
        limbs = [counted[:, index].astype(np.uint64) for index in range(self._length)]
        numerals = np.empty((len(counted), len(self._radices)), np.uint16)
        for places in reversed(self._runs):
            size = np.uint64(prod(self._radices[place] for place in places))
            rest = np.zeros(len(counted), np.uint64)
            for index, limb in enumerate(limbs):
                total = rest * base + limb
                limbs[index] = total // size
                rest = total - limbs[index] * size
            run = rest.astype(np.uint32)
            for place in reversed(places):
                radix = np.uint32(self._radices[place])
                higher = run // radix
                numerals[:, place] = run - higher * radix
                run = higher
        return numerals

    def _below_size(self, counted: Numerals) -> npt.NDArray[np.bool_]:
        """Which integers are below the number of the form's values."""
        below, equal = np.zeros(len(counted), np.bool_), np.ones(len(counted), np.bool_)
        rest = self._size
        for index in range(self._length):
            digit, rest = divmod(rest, self._radix ** (self._length - 1 - index))
            below |= equal & (counted[:, index] < digit)
            equal &= counted[:, index] == digit
        return below


def is_large_enough(radices: Sequence[int]) -> bool:
    """Whether a form has as many values as encryption needs."""
    return len(radices) >= 2 and prod(radices) >= SMALLEST_DOMAIN


def _runs(radices: Sequence[int]) -> list[list[int]]:
    """The places, in runs of which each has fewer values than a limb holds: one long multiplication for each."""
    runs: list[list[int]] = [[]]
    size = 1
    for place, radix in enumerate(radices):
        size *= radix
        if size > _LARGEST_RUN:
            runs.append([])
            size = radix
        runs[-1].append(place)
    return runs


def _shape(size: int) -> tuple[int, int]:
    """The radix and the number of numerals of the smallest domain that holds `size` values."""
    length = 2
    while (radix := _root(size, length)) > _LARGEST_RADIX:
        length += 1
    return radix, length


def _root(number: int, degree: int) -> int:
    """The least integer whose power is not below the number; exact."""
    low, high = 1, 1 << -(-number.bit_length() // degree)
    while low < high:
        middle = (low + high) // 2
        if middle**degree < number:
            low = middle + 1
        else:
            high = middle
    return low
