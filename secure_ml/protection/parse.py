"""Raw columns as text, and as their declared types.

Belongs here: what a cell of a source may look like, for each type. Must stay out: what is done to a value (mask).

Two entries serve every reader of raw data: `as_text` and `parse`. Neither raises on a cell: what cannot be read is null
and counted, and what the source calls missing is null and not counted.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnType
from secure_ml.protection.classify.cells import fold
from secure_ml.protection.parse_dates import dates_from_text
from secure_ml.protection.parse_numbers import finite, integers_from_text, numbers_from_text

ARROW_TYPES: Mapping[ColumnType, pa.DataType] = MappingProxyType(
    {
        ColumnType.STRING: pa.string(),
        ColumnType.INTEGER: pa.int64(),
        ColumnType.NUMBER: pa.float64(),
        ColumnType.BOOLEAN: pa.bool_(),
        ColumnType.DATE: pa.date32(),
    }
)
"""Arrow type of a parsed column."""

_TRUE, _FALSE = ("true", "t", "yes", "y", "1", "on"), ("false", "f", "no", "n", "0", "off")
_LARGEST_EXACT_FLOAT = 2.0**53


class UnsupportedColumnType(ValueError):
    """A source column has an Arrow type that holds no single text, number, date or boolean a cell."""

    def __init__(self, arrow_type: pa.DataType) -> None:
        super().__init__(f"type {arrow_type} cannot be read: store text, numbers, dates or booleans, one value a cell")


@dataclass(frozen=True)
class Parsed:
    """A column as its declared type.

    Attributes:
        values: the column; null where a cell is missing or cannot be read.
        unparsed: how many cells are present and cannot be read.
    """

    values: pa.Array
    unparsed: int


def as_text(column: pa.Array, *, missing: Sequence[str]) -> pa.Array:
    """The cells as trimmed strings, null where missing.

    Whole floats are written as integers: a column of numbers with a gap comes as floats from many writers, and
    "9876543210.0" is no telephone number. Bytes that are not UTF-8 become U+FFFD.

    Args:
        column: any array of text, numbers, dates or booleans.
        missing: texts that mean missing, compared after trimming.

    Raises:
        UnsupportedColumnType: the type is nested or binary.
    """
    return _without_missing(pc.utf8_trim_whitespace(_plain_text(column)), missing)


def parse(column: pa.Array, to: ColumnType, *, missing: Sequence[str]) -> Parsed:
    """The cells as `to`.

    `parse_numbers` and `parse_dates` say how those are written.

    Args:
        column: any array of text, numbers, dates or booleans.
        to: the declared type.
        missing: texts that mean missing, compared after trimming.

    Raises:
        UnsupportedColumnType: the type is nested or binary.
    """
    direct = _directly(column, to)
    if direct is not None:
        present = column.null_count if not pa.types.is_floating(column.type) else _nulls_and_nans(column)
        return Parsed(direct, direct.null_count - present)
    texts = as_text(column, missing=missing)
    values = parse_text(texts, to)
    return Parsed(values, values.null_count - texts.null_count)


def parse_text(texts: pa.Array, to: ColumnType) -> pa.Array:
    """What `as_text` gave, as `to`; null where it cannot be read."""
    if to is ColumnType.STRING:
        return texts
    folded = folded_text(texts)
    if to is ColumnType.INTEGER:
        return integers_from_text(folded)
    if to is ColumnType.NUMBER:
        return numbers_from_text(folded)
    return _booleans(folded) if to is ColumnType.BOOLEAN else dates_from_text(folded)


def folded_text(texts: pa.Array) -> pa.Array:
    """The strings with digits, spaces and dashes of any script written in ASCII."""
    return pc.utf8_trim_whitespace(_where_not_ascii(texts, fold))


def composed_text(texts: pa.Array) -> pa.Array:
    """The strings in Unicode's form NFC. (Arrow's `utf8_normalize` decomposes under that name.)"""
    return _where_not_ascii(texts, lambda text: unicodedata.normalize("NFC", text))


def _where_not_ascii(texts: pa.Array, change: Callable[[str], str]) -> pa.Array:
    other = pc.fill_null(pc.invert(pc.string_is_ascii(texts)), False)
    if not pc.any(other, min_count=0).as_py():
        return texts
    replacement = pa.array([change(text) for text in texts.filter(other).to_pylist()], pa.string())
    return pc.replace_with_mask(texts, other, replacement)


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type is one of those that hold strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _plain_text(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain_text(column.dictionary_decode())
    if is_text(kind):
        return _valid_utf8(column.cast(pa.string()))
    if pa.types.is_floating(kind):
        return _float_text(column)
    if pa.types.is_duration(kind):
        return column.cast(pa.int64()).cast(pa.string())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise UnsupportedColumnType(kind)
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        raise UnsupportedColumnType(kind) from None


def _valid_utf8(texts: pa.Array) -> pa.Array:
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        cells = texts.cast(pa.binary()).to_pylist()
        return pa.array([None if cell is None else cell.decode("utf-8", "replace") for cell in cells], pa.string())
    return texts


def _float_text(column: pa.Array) -> pa.Array:
    values = column.cast(pa.float64())
    values = pc.if_else(pc.is_nan(values), None, values)
    whole = pc.and_(pc.equal(pc.round(values), values), pc.less(pc.abs(values), _LARGEST_EXACT_FLOAT))
    as_integers = pc.if_else(whole, values, 0.0).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, as_integers, values.cast(pa.string()))


def _without_missing(texts: pa.Array, missing: Sequence[str]) -> pa.Array:
    if not missing:
        return texts
    wanted = pa.array([text.strip() for text in missing], pa.string())
    return pc.if_else(pc.is_in(texts, value_set=wanted), None, texts)


def _directly(column: pa.Array, to: ColumnType) -> pa.Array | None:
    """The column as `to` where its Arrow type says it all; None where the text must be read."""
    kind, types = column.type, pa.types
    if to is ColumnType.INTEGER and (types.is_signed_integer(kind) or types.is_boolean(kind)):
        return column.cast(pa.int64())
    if to is ColumnType.NUMBER and types.is_integer(kind):
        return column.cast(pa.float64(), safe=False)
    if to is ColumnType.NUMBER and types.is_floating(kind):
        return finite(column.cast(pa.float64()))
    if to is ColumnType.BOOLEAN and types.is_boolean(kind):
        return column
    if to is ColumnType.DATE and types.is_date(kind):
        return column.cast(pa.date32(), safe=False)
    if to is ColumnType.DATE and types.is_timestamp(kind):
        # The day that the people of that time zone had, not that of Greenwich.
        return (pc.local_timestamp(column) if kind.tz else column).cast(pa.date32(), safe=False)
    return None


def _nulls_and_nans(column: pa.Array) -> int:
    return int(column.null_count + (pc.sum(pc.is_nan(column)).as_py() or 0))


def _booleans(texts: pa.Array) -> pa.Array:
    lowered = pc.utf8_lower(texts)
    yes = pc.is_in(lowered, value_set=pa.array(_TRUE))
    no = pc.is_in(lowered, value_set=pa.array(_FALSE))
    return pc.if_else(pc.or_(yes, no), yes, None)
