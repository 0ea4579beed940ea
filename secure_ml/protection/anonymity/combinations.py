"""Combinations of cells as keys of fixed width, so that a table's classes can be counted whatever its cells are.

Belongs here: keys of rows and of cells. Must stay out: counting them.

A cell's key is the first 128 bits of BLAKE2b (RFC 7693) over its value, personalised by the column's place; a row's key
is their sum modulo 2^64 in each half (tabulation hashing, Zobrist 1970). Among 10^9 combinations two share a key with a
probability below 10^-20. The keys hide nothing, and are never stored.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

KEY_TYPE = pa.binary(16)

_MISSING = b"\x00"
_PRESENT = b"\x01"


def combination_keys(columns: Sequence[pa.Array]) -> pa.Array:
    """A key for each row: the same for the same cells. A missing cell is a value of its own.

    Args:
        columns: at least one; of the same length.
    """
    total = np.zeros((len(columns[0]), 2), np.uint64)
    for place, column in enumerate(columns):
        total += _halves(column, place)
    return pa.FixedSizeBinaryArray.from_buffers(KEY_TYPE, len(total), [None, pa.py_buffer(total)])


def cell_codes(column: pa.Array) -> pa.Array:
    """64 bits for each cell, as a signed integer: the same for the same value."""
    return pa.array(np.ascontiguousarray(_halves(column, 0)[:, 0]).view(np.int64))


def missing_key(columns: int) -> bytes:
    """The key of a row in which all of so many cells are missing."""
    key: bytes = combination_keys([pa.nulls(1)] * columns)[0].as_py()
    return key


def _halves(column: pa.Array, place: int) -> npt.NDArray[np.uint64]:
    """(rows, 2) the two halves of each cell's key."""
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    encoded = column.dictionary_encode()
    person = place.to_bytes(4, "little")
    digests = [_digest(_PRESENT + _bytes(value), person) for value in encoded.dictionary.to_pylist()]
    table = np.frombuffer(b"".join([*digests, _digest(_MISSING, person)]), np.uint64).reshape(-1, 2)
    # Place -1 is the missing cell's.
    halves: npt.NDArray[np.uint64] = table[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    return halves


def _digest(content: bytes, person: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16, person=person).digest()


def _bytes(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else repr(value).encode()


MISSING_CODE: int = cell_codes(pa.nulls(1))[0].as_py()
"""The code of a missing cell."""
