"""The policy's expectations: their words, and what is looked at to judge each.

Belongs here: what each expectation means for a cell. Must stay out: counting (great_expectations_suite).

A missing cell meets and breaks nothing, but for `not_null`, which is about it. A present cell that is no number is
outside every `between`.
"""

import math
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnType
from secure_ml.policy.quality import Between, Expectation, InSet, MatchesPattern, NotNull, Parses
from secure_ml.protection.parse import UnsupportedColumnType, as_text, is_text, parse, parse_text
from secure_ml.protection.quality.errors import ColumnNotReadable, QualityError

MET = 1.0
"""What evidence holds for a cell that is judged before counting and meets its expectation; 0 otherwise."""

_LISTED = 8


@dataclass(frozen=True)
class Cells:
    """A column of one batch, read once for all that is asked of it.

    Attributes:
        texts: trimmed texts, null where missing.
        values: as the declared type, null where missing or unreadable.
        numbers: as numbers, likewise; None where no expectation asks for them.
    """

    texts: pa.Array
    values: pa.Array
    numbers: pa.Array | None

    @property
    def present(self) -> int:
        """How many cells are there."""
        return len(self.texts) - int(self.texts.null_count)

    @property
    def readable(self) -> pa.Array:
        """Which cells are there and read as the declared type."""
        return pc.and_(pc.is_valid(self.texts), pc.is_valid(self.values))


def read_cells(column: pa.Array, name: str, to: ColumnType, *, missing: tuple[str, ...], as_numbers: bool) -> Cells:
    """Reads a raw column.

    Args:
        column: the cells as stored.
        name: the column's name, for the error.
        to: the declared type.
        missing: texts that mean missing.
        as_numbers: whether numbers are needed beside the declared type.

    Raises:
        ColumnNotReadable: the stored type is nested or binary.
    """
    try:
        texts = as_text(column, missing=missing)
        values = _typed(column, texts, to, missing)
        if not as_numbers:
            return Cells(texts, values, None)
        numbers = values if to is ColumnType.NUMBER else _typed(column, texts, ColumnType.NUMBER, missing)
    except UnsupportedColumnType:
        raise ColumnNotReadable(name) from None
    return Cells(texts, values, numbers)


def _typed(column: pa.Array, texts: pa.Array, to: ColumnType, missing: tuple[str, ...]) -> pa.Array:
    return parse_text(texts, to) if is_text(column.type) else parse(column, to, missing=missing).values


def in_words(expectation: Expectation, declared: ColumnType) -> str:
    """The expectation as a person would say it, with the policy's own bounds and texts."""
    match expectation:
        case NotNull():
            return "is present"
        case Between(minimum=minimum, maximum=None):
            return f"is a number of at least {minimum:,.15g}"
        case Between(minimum=None, maximum=maximum):
            return f"is a number of at most {maximum:,.15g}"
        case Between(minimum=minimum, maximum=maximum):
            return f"is a number from {minimum:,.15g} to {maximum:,.15g}"
        case InSet(values=values):
            more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
            return f"is one of {', '.join(value.strip() for value in values[:_LISTED])}{more}"
        case MatchesPattern(pattern=pattern):
            return f"matches {pattern}"
        case Parses():
            return f"reads as {declared}"


def require_pattern(expectation: Expectation) -> None:
    """Refuses a pattern that cannot be used, before any cell is read.

    Raises:
        QualityError: it is not RE2 syntax.
    """
    if isinstance(expectation, MatchesPattern):
        try:
            # Alone first: "a)(b" is no pattern, and would become one inside the group that anchors it.
            pc.match_substring_regex(pa.array([""]), expectation.pattern)
            _matches(pa.array([""]), expectation.pattern)
        except pa.ArrowInvalid:
            raise QualityError(
                expectation.column,
                f"matches {expectation.pattern}",
                problem="the pattern is not a regular expression in RE2 syntax",
                remedy="correct it in the policy (RE2 has no look-around and no back-references)",
            ) from None


def evidence(expectation: Expectation, cells: Cells) -> pa.Array:
    """What stands for each cell when the expectation is counted: as long as the column, null where it is missing."""
    match expectation:
        case NotNull():
            return pc.if_else(pc.is_valid(cells.texts), MET, None)
        case Between():
            assert cells.numbers is not None  # noqa: S101 - read_cells was asked for them
            outside = -math.inf if expectation.minimum is not None else math.inf
            unreadable = pc.and_(pc.is_valid(cells.texts), pc.is_null(cells.numbers))
            return pc.if_else(unreadable, outside, pc.if_else(pc.is_valid(cells.texts), cells.numbers, None))
        case InSet():
            return cells.texts
        case MatchesPattern(pattern=pattern):
            # RE2 takes linear time on any cell; Python's expressions can be made to take for ever by a hostile one.
            return _flags(_matches(cells.texts, pattern), cells.texts)
        case Parses():
            return _flags(cells.readable, cells.texts)


def _matches(texts: pa.Array, pattern: str) -> pa.Array:
    return pc.match_substring_regex(texts, rf"\A(?:{pattern})")


def _flags(met: pa.Array, texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_valid(texts), met.cast(pa.float64()), None)
