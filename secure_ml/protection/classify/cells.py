"""Turns one column of a batch into distinct strings with counts, and a column name into words.

Belongs here: types, trimming, the folding of digits, spaces and dashes of other scripts.
Must stay out: what a value means.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.protection.classify.errors import ColumnNotExaminable

_LAST_DIGIT = 0x1FBF9
# Blanks of any width, and signs that are not seen: soft hyphens, marks of direction, joiners of words.
_SPACES = (
    "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u202f\u2060\u3000\ufeff\t"
    "\u00ad\u061c\u180e\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069"
)
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d"
_LARGEST_EXACT_FLOAT = 2.0**53


class Kind(StrEnum):
    """What a column's type is, as far as detectors care."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    FLAG = "flag"


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The non-blank cells of one column of one batch, each distinct value once."""

    kind: Kind
    values: Any
    counts: npt.NDArray[np.int64]
    rows: int

    @property
    def non_null(self) -> int:
        """Cells that hold something."""
        return int(self.counts.sum())


@cache
def _folding() -> dict[int, str]:
    table = {ord(sign): str(int(sign)) for sign in map(chr, range(0x80, _LAST_DIGIT + 1)) if sign.isdecimal()}
    table.update({ord(space): " " for space in _SPACES})
    table.update({ord(dash): "-" for dash in _DASHES})
    table[0xFF20], table[0xFF0B] = "@", "+"
    return table


def fold(text: str) -> str:
    """Write digits, spaces and dashes of any script in ASCII, one character for one, so that offsets stay."""
    return text if text.isascii() else text.translate(_folding())


def words_of(column_name: str) -> str:
    """Write a column's name as lower-case words with one space between: ``DateOfBirth`` becomes ``date of birth``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])", " ", column_name)
    return " ".join(re.findall(r"[^\W_]+", parted.lower()))


def require_examinable(schema: Any) -> None:
    """Refuse a table that has a column which ``cells_of`` cannot look into.

    Raises:
        ColumnNotExaminable: The first column of a nested or binary type.
    """
    for field in schema:
        _kind_of(field.type, field.name)


def cells_of(column: Any, *, name: str) -> Cells:
    """Count the distinct non-blank cells of ``column``.

    Args:
        column: A ``pyarrow.Array`` of text, numbers, dates or booleans (dictionaries of these too).
        name: The column's name, for errors.

    Raises:
        ColumnNotExaminable: The type is nested or binary, or text is not UTF-8.
    """
    kind = _kind_of(column.type, name)
    try:
        counted = pc.value_counts(column)
        values, counts = counted.field("values"), counted.field("counts")
        values, counts = _kept(values, counts, pc.is_valid(values))
        if pa.types.is_floating(values.type):
            values, counts = _kept(values, counts, pc.invert(pc.is_nan(values.cast(pa.float64()))))
        texts = _texts(values, kind)
        if not pc.all(pc.string_is_ascii(texts), min_count=0).as_py():
            texts = _folded(texts)
        texts, counts = _kept(texts, counts, pc.greater(pc.utf8_length(texts), 0))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        raise ColumnNotExaminable(name, problem="holds text that is not UTF-8", remedy="re-encode the source") from None
    return Cells(kind=kind, values=texts, counts=counts.to_numpy(zero_copy_only=False), rows=len(column))


def text_buffers(values: Any) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
    """Return the UTF-8 bytes of an Arrow array of strings, and the ``len(values) + 1`` offsets into them; no copy."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    width = np.int64 if pa.types.is_large_string(values.type) else np.int32
    _, offsets, data = values.buffers()
    if not len(values):
        return np.zeros(0, np.uint8), np.zeros(1, width)
    bounds = np.frombuffer(offsets, width, count=len(values) + 1, offset=values.offset * np.dtype(width).itemsize)
    text = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return text[bounds[0] : bounds[-1]], bounds - bounds[0]


def _kept(values: Any, counts: Any, mask: Any) -> tuple[Any, Any]:
    return values.filter(mask), counts.filter(mask)


def _kind_of(arrow_type: Any, name: str) -> Kind:
    types = pa.types
    if types.is_dictionary(arrow_type):
        return _kind_of(arrow_type.value_type, name)
    families: Iterable[tuple[Kind, tuple[Any, ...]]] = (
        (Kind.TEXT, (types.is_string, types.is_large_string, types.is_string_view, types.is_null)),
        (Kind.NUMBER, (types.is_integer, types.is_floating, types.is_decimal)),
        (Kind.DATE, (types.is_date, types.is_timestamp, types.is_time, types.is_duration)),
        (Kind.FLAG, (types.is_boolean,)),
    )
    for kind, tests in families:
        if any(test(arrow_type) for test in tests):
            return kind
    raise ColumnNotExaminable(
        name, problem=f"has type {arrow_type}", remedy="store it as text, numbers, dates or booleans, one value a cell"
    )


def _texts(values: Any, kind: Kind) -> Any:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_floating(values.type):
        values = _integral_where_possible(values)
    if kind is Kind.DATE and pa.types.is_timestamp(values.type):
        values = values.cast(pa.date32(), safe=False)
    if pa.types.is_duration(values.type):
        values = values.cast(pa.int64())
    texts = values.cast(pa.large_string())
    return pc.utf8_trim_whitespace(texts) if kind is Kind.TEXT else texts


def _integral_where_possible(values: Any) -> Any:
    # pandas turns an integer column with a missing cell into floats; "234123412346.0" would hide an identifier.
    values = values.cast(pa.float64())
    exact = pc.and_(pc.equal(pc.round(values), values), pc.less(pc.abs(values), _LARGEST_EXACT_FLOAT))
    return values.cast(pa.int64()) if pc.all(exact, min_count=0).as_py() else values


def _folded(texts: Any) -> Any:
    ascii_cells = pc.string_is_ascii(texts)
    others = texts.filter(pc.invert(ascii_cells)).to_pylist()
    replacement = pa.array([fold(text) for text in others], type=pa.large_string())
    return pc.utf8_trim_whitespace(pc.replace_with_mask(texts, pc.invert(ascii_cells), replacement))
