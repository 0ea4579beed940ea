"""Columns of text from numbers, vectorised.

Belongs here: zero-padded digits, look-up in word lists, joining, text from character codes. Must stay out: what the
text means.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from secure_ml.recipes.loans.draws import Flags, Indices

Text = Any
"""A pyarrow string array; pyarrow ships no types."""


@lru_cache(maxsize=64)
def _words(values: tuple[str, ...]) -> Text:
    return pa.array(values, pa.string())


def look_up(values: Sequence[str], positions: Indices) -> Text:
    """The words at the given positions."""
    return _words(tuple(values)).take(pa.array(positions))


def whole(numbers: Indices) -> Text:
    """Whole numbers as decimal text."""
    return pc.cast(pa.array(numbers, pa.int64()), pa.string())


def digits(numbers: Indices, width: int) -> Text:
    """Whole numbers as decimal text, padded with zeros to `width`."""
    return pc.utf8_lpad(whole(numbers), width, "0")


def digit_matrix(numbers: Indices, width: int) -> NDArray[np.uint8]:
    """Decimal digits, most significant first, shape (n, width)."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (numbers[:, None] // powers % 10).astype(np.uint8)


def from_codes(codes: NDArray[np.uint8]) -> Text:
    """Text of fixed width from ASCII codes, shape (n, width)."""
    rows, width = codes.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(codes)))


def join(*parts: Text | str) -> Text:
    """The parts of each row one after the other; plain strings are the same in every row."""
    return pc.binary_join_element_wise(*parts, "")


def choose(flags: Flags, yes: Text | str | None, no: Text | str | None) -> Text:
    """`yes` where the flag is set, else `no`; None is a missing cell."""
    missing = pa.scalar(None, pa.string())
    return pc.if_else(pa.array(flags), missing if yes is None else yes, missing if no is None else no)


def choose_by(position: Indices, *columns: Text) -> Text:
    """The column that each row's position names."""
    return pc.choose(pa.array(position), *columns)
