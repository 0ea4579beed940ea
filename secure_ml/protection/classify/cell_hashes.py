"""Cells as numbers of 64 bits: equal cells give equal numbers, and nothing else of a cell is left.

Belongs here: the hash of each type of column. Must stay out: what is counted by it.

The numbers live in memory for one pass. They are not stored: a hash without a key would not hide a value.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.protection.classify.errors import ColumnNotExaminable

Hashes = npt.NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_ALL = 2**64


@dataclass(frozen=True)
class HashedColumn:
    """One column of a batch.

    Attributes:
        cells: a number for each row; all missing cells have one of their own.
        present: which rows hold something; blank text and not-a-number are missing.
        distinct: numbers of the cells that are there, with few repetitions.
    """

    cells: Hashes
    present: npt.NDArray[np.bool_]
    distinct: Hashes


def hash_cells(column: Any, *, name: str, position: int) -> HashedColumn:
    """The numbers of a ``pyarrow.Array`` of text, numbers, dates or booleans (dictionaries of these too).

    Args:
        column: the cells.
        name: of the column, for errors.
        position: the column's place in the table. Another place gives unrelated numbers, so that the exclusive or of a
            row's numbers is simple tabulation hashing (Patrascu and Thorup, "The power of simple tabulation hashing",
            2012) of its cells taken together.

    Raises:
        ColumnNotExaminable: text is not UTF-8.
    """
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    values = encoded.dictionary
    salt = np.uint64((position + 1) * _GOLDEN % _ALL)
    try:
        known = np.asarray(_present(values).to_numpy(zero_copy_only=False), dtype=np.bool_)
        numbers = np.where(known, _mixed(_numbers(values) ^ salt), _missing(salt))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        raise ColumnNotExaminable(name, problem="holds text that is not UTF-8", remedy="re-encode the source") from None
    rows = pc.fill_null(encoded.indices.cast(pa.int64()), len(values)).to_numpy(zero_copy_only=False)
    return HashedColumn(
        cells=np.append(numbers, _missing(salt))[rows], present=np.append(known, False)[rows], distinct=numbers[known]
    )


def hash_rows(first: int, count: int) -> Hashes:
    """A number of its own for each of `count` rows from the row `first` on."""
    return _mixed(np.arange(first, first + count, dtype=np.uint64))


def _present(values: Any) -> Any:
    types, there = pa.types, pc.is_valid(values)
    if types.is_floating(values.type):
        there = pc.and_(there, pc.invert(pc.is_nan(values.cast(pa.float64()))))
    if _is_text(values.type):
        there = pc.and_(there, pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(values.cast(pa.large_string()))), 0))
    return pc.fill_null(there, False)


def _numbers(values: Any) -> Hashes:
    from pandas.util import hash_array

    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        plain = pc.fill_null(values, 0).to_numpy(zero_copy_only=False)
    else:
        texts = (values.cast(pa.int64()) if pa.types.is_duration(values.type) else values).cast(pa.large_string())
        trimmed = pc.utf8_trim_whitespace(texts) if _is_text(values.type) else texts
        plain = pc.fill_null(trimmed, "").to_numpy(zero_copy_only=False)
    return hash_array(plain, categorize=False)


def _is_text(arrow_type: Any) -> bool:
    types = pa.types
    return bool(types.is_string(arrow_type) or types.is_large_string(arrow_type) or types.is_string_view(arrow_type))


def _missing(salt: np.uint64) -> np.uint64:
    return np.uint64(_mixed(np.array([salt], np.uint64))[0])


def _mixed(numbers: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a bijection whose every bit depends on every bit."""
    mixed = numbers + np.uint64(_GOLDEN)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)
