"""Which characters of a text are encrypted among which others.

Belongs here: the kinds of characters, and texts as code points and back. Must stay out: encryption.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Places = npt.NDArray[Any]

STANDS, REFUSED = 0, 255
"""Kinds of characters that stay as they are, and of those with which a text cannot be encrypted."""

_CODE_POINTS, _ASCII = 0x110000, 0x80
# A character that says nothing: punctuation, sign of money or mathematics, accent, space, control or format character.
# Other symbols spell: letters in circles, Braille, radicals, flags. So do the format characters named tags, unseen.
_SAYS_NOTHING = ("P", "Sc", "Sk", "Sm", "Z", "Cc", "Cf")
_NUMBER_SIGN = 0x2116  # stands before numbers, and is a symbol of the other kind
_TAGS = range(0xE0000, 0xE0080)
_STANDARD = ("0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True)
class Alphabets:
    """Characters of one kind are encrypted among each other.

    Attributes:
        alphabets: the characters of kind 1, 2, …
    """

    alphabets: tuple[str, ...]

    def tables(self, *, ascii_only: bool) -> tuple[npt.NDArray[np.uint8], Places]:
        """By code point: its kind, and its place in its alphabet.

        A letter, digit, mark or picture that is in no alphabet would be left readable: it is refused.
        """
        return _tables(self.alphabets, _ASCII if ascii_only else _CODE_POINTS)

    def code_points(self, kinds: npt.NDArray[np.uint8], places: Places) -> Places:
        """The code point of each kind and place in its alphabet."""
        points = [np.array([*map(ord, alphabet)]) for alphabet in self.alphabets]
        joined, before = np.concatenate(points), np.cumsum([0, 0, *map(len, self.alphabets)])
        joined = joined.astype(np.min_scalar_type(int(joined.max())))
        # Characters that follow each other are counted, which is quicker than looking them up.
        if all((np.diff(some) == 1).all() for some in points):
            counted: Places = joined[before[:-1]].take(kinds) + places
            return counted
        return joined.take(before.take(kinds) + places)


def alphabets(given: str | None) -> Alphabets:
    """The given alphabet alone; or digits, capital and small letters of ASCII."""
    return Alphabets(_STANDARD if given is None else (given,))


@cache
def _tables(given: tuple[str, ...], size: int) -> tuple[npt.NDArray[np.uint8], Places]:
    kinds = np.where(_silent(size), STANDS, REFUSED).astype(np.uint8)
    places = np.zeros(size, np.min_scalar_type(max(map(len, given)) - 1))
    for kind, alphabet in enumerate(given, start=1):
        for place, character in enumerate(alphabet):
            if ord(character) < size:
                kinds[ord(character)], places[ord(character)] = kind, place
    return kinds, places


@cache
def _silent(size: int) -> npt.NDArray[np.bool_]:
    silent = np.array([unicodedata.category(chr(point)).startswith(_SAYS_NOTHING) for point in range(size)])
    silent[_NUMBER_SIGN : _NUMBER_SIGN + 1] = True
    silent[_TAGS.start : _TAGS.stop] = False
    return silent


@dataclass(frozen=True)
class CodePoints:
    """Texts as one row of code points.

    Attributes:
        points: of all texts, one after the other.
        bounds: where each begins, and where the last one ends.
        ascii_only: whether each is one byte in UTF-8.
    """

    points: npt.NDArray[Any]
    bounds: npt.NDArray[np.int64]
    ascii_only: bool

    @classmethod
    def of(cls, texts: pa.Array) -> "CodePoints":
        """Reads strings, none of them null."""
        large = texts.cast(pa.large_string())
        _, offsets, data = large.buffers()
        bounds = np.frombuffer(offsets, np.int64)[large.offset : large.offset + len(large) + 1]
        content = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]] if data is not None else np.empty(0, np.uint8)
        bounds = bounds - bounds[0]
        if not (content >= _ASCII).any():
            return cls(content, bounds, ascii_only=True)
        # A byte that begins with the bits 10 goes on with a character.
        characters = np.concatenate([[0], np.cumsum((content & 0xC0) != 0x80)])
        points = np.frombuffer(content.tobytes().decode().encode("utf-32-le"), np.uint32)
        return cls(points, characters[bounds], ascii_only=False)

    def texts(self, points: npt.NDArray[Any]) -> pa.Array:
        """Strings of other code points, as many for each."""
        if self.ascii_only and points.dtype == np.uint8:
            content, bounds = points, self.bounds
        else:
            content = np.frombuffer(points.astype("<u4").tobytes().decode("utf-32-le").encode(), np.uint8)
            sizes = 1 + (points >= 0x80) + (points >= 0x800) + (points >= 0x10000).astype(np.int64)
            bounds = np.concatenate([[0], np.cumsum(sizes)])[self.bounds]
        large = pa.LargeStringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(content))
        return large.cast(pa.string())
