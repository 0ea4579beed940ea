"""The digest of a table's content: the same rows give the same digest, however they were batched.

Belongs here: canonical bytes of columns. Must stay out: keys other than the one that makes the result unguessable.
"""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_DOMAIN = b"secure_ml/content-digest/1"


class ContentDigest:
    """SHA-256 over columns, fed batch by batch; see docs/formats/content-digest.md.

    Each column has three running hashes: validity (a byte a row), lengths (variable-width types), value bytes. None of
    them sees where a batch ends.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._columns = [(hashlib.sha256(), hashlib.sha256(), hashlib.sha256()) for _ in schema]
        self._rows = 0

    def update(self, batch: pa.RecordBatch) -> None:
        """Adds the rows of one batch, whose columns are the schema's in order."""
        self._rows += batch.num_rows
        for (validity, lengths, values), array in zip(self._columns, batch.columns, strict=True):
            validity.update(_validity(array).data)
            if pa.types.is_string(array.type) or pa.types.is_binary(array.type):
                ends, content = _texts(array)
                lengths.update(np.diff(ends).astype("<i8").data)
                values.update(content)
            else:
                values.update(_fixed_width(array).data)

    def digest(self) -> bytes:
        """SHA-256 over schema, number of rows and all column hashes."""
        whole = hashlib.sha256(_DOMAIN + self._rows.to_bytes(8, "little"))
        for field, hashes in zip(self._schema, self._columns, strict=True):
            for text in (field.name, str(field.type)):
                encoded = text.encode()
                whole.update(len(encoded).to_bytes(4, "little") + encoded)
            for column_hash in hashes:
                whole.update(column_hash.digest())
        return whole.digest()


def keyed_digest(parts: Iterable[tuple[str, int, bytes]], *, key: bytes) -> str:
    """The digest of a version: HMAC-SHA-256 under `key` over its parts' digests, hexadecimal.

    Without the key, a small table cannot be guessed from its digest.

    Args:
        parts: section, bucket and content digest of each part; their order does not matter.
        key: 32 bytes, the project's own.
    """
    code = hmac.new(key, _DOMAIN, hashlib.sha256)
    for section, bucket, content in sorted(parts):
        code.update(f"{section}/{bucket}/".encode() + content)
    return code.hexdigest()


# Where there is no null, nothing is filled in or copied that need not be: this is a part of every write.


def _validity(array: pa.Array) -> "np.ndarray[Any, np.dtype[Any]]":
    if array.null_count == 0:
        return np.ones(len(array), np.uint8)
    return np.ascontiguousarray(pc.is_valid(array).to_numpy(zero_copy_only=False)).view(np.uint8)


def _without_nulls(array: pa.Array, filling: object) -> pa.Array:
    return array if array.null_count == 0 else array.fill_null(filling)


def _texts(array: pa.Array) -> "tuple[np.ndarray[Any, np.dtype[Any]], memoryview]":
    """Where each value begins, and where the last ends; and the bytes of all, without copying."""
    filled = _without_nulls(array, b"" if pa.types.is_binary(array.type) else "")
    _, offsets, data = filled.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[filled.offset : filled.offset + len(filled) + 1]
    return ends, memoryview(b"") if data is None else memoryview(data)[int(ends[0]) : int(ends[-1])]


def _fixed_width(array: pa.Array) -> "np.ndarray[Any, np.dtype[Any]]":
    """Little-endian values; nulls as zero, every NaN alike, minus zero as zero."""
    values: np.ndarray[Any, np.dtype[Any]]
    if pa.types.is_boolean(array.type):
        values = _without_nulls(array, False).to_numpy(zero_copy_only=False).view(np.uint8)
    elif pa.types.is_floating(array.type):
        # Adding zero makes a copy in which minus zero is zero.
        values = _without_nulls(array, 0.0).to_numpy(zero_copy_only=False).astype("<f8", copy=False) + 0.0
        missing = np.isnan(values)
        if missing.any():
            values[missing] = np.nan
    else:
        integers = array.view(pa.int32()) if pa.types.is_date32(array.type) else array
        values = _without_nulls(integers, 0).to_numpy(zero_copy_only=False).astype("<i8", copy=False)
    return values
