"""What texts are made of: their lengths, digits, letters and kinds of sign, and what an expression's matches can have.

Matching every value with every detector's expression would cost more than all else together. Counted once for a
column, a value's makeup tells most detectors that it cannot have their shape: a name holds no digit, an amount no @.

Belongs here: counting bytes, and bounds read off an expression's parse tree. Must stay out: any entity.
"""

import re
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.protection.classify.cells import text_buffers

Booleans = npt.NDArray[np.bool_]

_MANY = 2**15 - 1
_DIGIT, _LETTER, _OTHER, _FOREIGN = 0, 1, 14, 15
_SIGNS = "@.:-+/(), _"
"""Signs with a bit of their own, from bit 2 on; the remaining signs share one, and so do all non-ASCII characters."""
_BLANKS = " \t\n\r\v\f"
_ASCII = frozenset(range(128))


@dataclass(frozen=True, kw_only=True)
class Makeup:
    """Of each value: characters (for non-ASCII ones bytes), digits, letters, and a bit for each kind that occurs."""

    lengths: npt.NDArray[np.int64]
    digits: npt.NDArray[np.int64]
    letters: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.uint16]

    def of(self, chosen: Booleans) -> "Makeup":
        """The makeup of the chosen values."""
        return Makeup(
            lengths=self.lengths[chosen],
            digits=self.digits[chosen],
            letters=self.letters[chosen],
            kinds=self.kinds[chosen],
        )


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What every ASCII match of an expression keeps to: the least and the most of each count, and kinds of sign.

    Attributes:
        lengths: Fewest and most characters.
        digits: Fewest and most digits.
        letters: Fewest and most letters.
        needed: Bits of the kinds of which at least one character is in every match.
        allowed: Bits of the kinds that can be in a match at all.
    """

    lengths: tuple[int, int]
    digits: tuple[int, int]
    letters: tuple[int, int]
    needed: int
    allowed: int

    def admit(self, makeup: Makeup) -> Booleans:
        """Say for each value whether it could match; True for every value that is not all ASCII."""
        kinds = makeup.kinds
        possible = (kinds & np.uint16(self.needed)) == self.needed
        possible &= (kinds & np.uint16(~self.allowed & 0xFFFF)) == 0
        for counts, (least, most) in (
            (makeup.lengths, self.lengths),
            (makeup.digits, self.digits),
            (makeup.letters, self.letters),
        ):
            if least > 0:
                possible &= counts >= least
            if most < _MANY:
                possible &= counts <= most
        answer: Booleans = possible | ((kinds & np.uint16(1 << _FOREIGN)) != 0)
        return answer

    def admit_within(self, makeup: Makeup) -> Booleans:
        """Say for each value whether a part of it could match; True for every value that is not all ASCII."""
        least = ((makeup.lengths, self.lengths), (makeup.digits, self.digits), (makeup.letters, self.letters))
        possible = (makeup.kinds & np.uint16(self.needed)) == self.needed
        for counts, (fewest, _) in least:
            possible &= counts >= fewest
        answer: Booleans = possible | ((makeup.kinds & np.uint16(1 << _FOREIGN)) != 0)
        return answer


def makeup_of(values: Any) -> Makeup:
    """Count the characters of each string of a ``pyarrow`` array without nulls."""
    data, offsets = text_buffers(values)
    lengths = np.diff(offsets).astype(np.int64)
    starts = offsets[:-1][lengths > 0]
    # Digits and letters are added up side by side in one number, wide enough for the longest value.
    width = 16 if lengths.max(initial=0) < 2**16 else 32
    number = np.dtype(np.uint32 if width == 16 else np.uint64)
    is_digit, is_letter = data - np.uint8(ord("0")) < 10, (data | np.uint8(0x20)) - np.uint8(ord("a")) < 26
    marks = is_digit.astype(number) | (is_letter.astype(number) << number.type(width))
    counts, kinds = np.zeros(len(lengths), number), np.zeros(len(lengths), np.uint16)
    if len(starts):
        counts[lengths > 0] = np.add.reduceat(marks, starts)
        kinds[lengths > 0] = np.bitwise_or.reduceat(np.take(_kinds(), data), starts)
    digits, letters = counts & number.type(2**width - 1), counts >> number.type(width)
    return Makeup(lengths=lengths, digits=digits.astype(np.int64), letters=letters.astype(np.int64), kinds=kinds)


@cache
def bounds_of(expression: str) -> Bounds:
    """Read off what an ASCII match of the whole ``expression``, case-insensitive, is made of.

    What is not understood (RE2's own syntax, references) bounds nothing, so that no match is ever ruled out.
    """
    # Python's own parser, which hypothesis uses too; RE2's classes of letters and numbers are parts of \w.
    from re import _parser as parser  # type: ignore[attr-defined]

    try:
        parsed = parser.parse(re.sub(r"\\p\{[LN][a-z]?\}|\\p[LN]", r"\\w", expression), re.IGNORECASE | re.DOTALL)
    except re.error:
        return _ANYTHING
    return _sequence(parsed)


_ANYTHING = Bounds(lengths=(0, _MANY), digits=(0, _MANY), letters=(0, _MANY), needed=0, allowed=0xFFFF)
_NOTHING = Bounds(lengths=(0, 0), digits=(0, 0), letters=(0, 0), needed=0, allowed=0)


def _sequence(items: Any) -> Bounds:
    return reduce(_then, (_item(str(operation), argument) for operation, argument in items), _NOTHING)


def _item(operation: str, argument: Any) -> Bounds:
    if operation in {"AT", "ASSERT", "ASSERT_NOT"}:
        return _NOTHING
    if operation == "SUBPATTERN":
        return _sequence(argument[-1])
    if operation == "BRANCH":
        return reduce(_or, map(_sequence, argument[1]))
    if operation in {"MAX_REPEAT", "MIN_REPEAT"}:
        least, most, body = argument
        return _times(_sequence(body), int(least), int(most))
    characters = _characters(operation, argument)
    return _ANYTHING if characters is None else _one_of(characters)


def _characters(operation: str, argument: Any) -> frozenset[int] | None:
    if operation == "LITERAL":
        return _range(argument, argument)
    if operation == "NOT_LITERAL":
        return _ASCII - {argument}
    if operation == "ANY":
        return _ASCII
    if operation == "RANGE":
        return _range(*argument)
    if operation == "CATEGORY":
        return _category(str(argument))
    if operation == "IN":
        negated = str(argument[0][0]) == "NEGATE"
        parts = [_characters(str(o), a) for o, a in argument[negated:]]
        if None in parts:
            return None
        chosen = frozenset[int]().union(*(part for part in parts if part is not None))
        return _ASCII - chosen if negated else chosen
    return None


def _range(first: int, last: int) -> frozenset[int]:
    # Without regard to case, the long s and the Kelvin sign are an s and a k.
    folded = {ord(plain) for sign, plain in (("\u017f", "s"), ("\u212a", "k")) if first <= ord(sign) <= last}
    return frozenset(range(first, min(last, 127) + 1)) | folded


def _category(name: str) -> frozenset[int] | None:
    classes = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}
    expression = classes.get(name.rsplit("_", 1)[-1])
    if expression is None:
        return None
    found = frozenset(code for code in _ASCII if re.match(expression, chr(code)))
    return _ASCII - found if "_NOT_" in name else found


def _one_of(characters: frozenset[int]) -> Bounds:
    kinds = {_kind(code) for code in characters}
    needed = 1 << next(iter(kinds)) if len(kinds) == 1 else 0
    return Bounds(
        lengths=(1, 1),
        digits=(int(kinds == {_DIGIT}), int(_DIGIT in kinds)),
        letters=(int(kinds == {_LETTER}), int(_LETTER in kinds)),
        needed=needed,
        allowed=sum(1 << kind for kind in kinds),
    )


def _then(first: Bounds, second: Bounds) -> Bounds:
    return Bounds(
        lengths=_sum(first.lengths, second.lengths),
        digits=_sum(first.digits, second.digits),
        letters=_sum(first.letters, second.letters),
        needed=first.needed | second.needed,
        allowed=first.allowed | second.allowed,
    )


def _or(first: Bounds, second: Bounds) -> Bounds:
    return Bounds(
        lengths=_hull(first.lengths, second.lengths),
        digits=_hull(first.digits, second.digits),
        letters=_hull(first.letters, second.letters),
        needed=first.needed & second.needed,
        allowed=first.allowed | second.allowed,
    )


def _times(body: Bounds, least: int, most: int) -> Bounds:
    def repeated(count: tuple[int, int]) -> tuple[int, int]:
        return min(_MANY, count[0] * least), min(_MANY, count[1] * min(most, _MANY))

    return Bounds(
        lengths=repeated(body.lengths),
        digits=repeated(body.digits),
        letters=repeated(body.letters),
        needed=body.needed if least else 0,
        allowed=body.allowed if most else 0,
    )


def _sum(first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    return min(_MANY, first[0] + second[0]), min(_MANY, first[1] + second[1])


def _hull(first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    return min(first[0], second[0]), max(first[1], second[1])


def _kind(code: int) -> int:
    character = chr(code)
    if character in _BLANKS:
        character = " "
    if code >= 128:
        return _FOREIGN
    if character.isdigit():
        return _DIGIT
    if character.isalpha():
        return _LETTER
    return 2 + _SIGNS.index(character) if character in _SIGNS else _OTHER


@cache
def _kinds() -> npt.NDArray[np.uint16]:
    return np.array([1 << _kind(code) for code in range(256)], dtype=np.uint16)
