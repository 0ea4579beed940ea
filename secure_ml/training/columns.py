"""Names and readings that every step of training shares: the split's own columns, the outcome, the keyed hash.

Belongs here: what a column of the split means. Must stay out: which rows are kept and what is learned.
"""

import hashlib
import hmac
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from secure_ml.policy.project import Policy
from secure_ml.training.errors import TrainingError

_KEY_BYTES = 32


def outcome(batch: pa.RecordBatch, policy: Policy) -> pa.Array:
    """Whether each row's label is the policy's positive value; null where the label is missing.

    A column of booleans is what `masked` makes of a label, true for the positive value whatever that is called; any
    other type is compared with the policy's word.

    Raises:
        TrainingError: the positive value does not read as the label column's type.
    """
    values = batch.column(policy.label.column)
    if pa.types.is_boolean(values.type):
        return values
    return pc.equal(values, pa.scalar(_positive(policy, values.type), values.type))


def _positive(policy: Policy, kind: pa.DataType) -> object:
    text = policy.label.positive.strip()
    try:
        if pa.types.is_integer(kind):
            return int(text)
        if pa.types.is_floating(kind):
            return float(text)
    except ValueError:
        raise TrainingError(
            f"label.positive does not read as {kind}, which column {policy.label.column!r} holds; correct one of them"
        ) from None
    return policy.label.positive


def check_key(key: bytes) -> None:
    """Refuses a key that could be guessed.

    Raises:
        TrainingError: fewer than 32 bytes.
    """
    if len(key) < _KEY_BYTES:
        raise TrainingError("a key of hashes has at least 32 bytes; a shorter one can be guessed")


def content_digests(contents: Iterable[bytes], *, key: bytes) -> list[bytes]:
    """16 bytes of keyed BLAKE2b of each content: equal for equal contents, and no use for guessing without the key.

    Args:
        contents: of rows or subjects.
        key: 32 to 64 bytes.

    Raises:
        TrainingError: the key is short.
    """
    check_key(key)
    base = hashlib.blake2b(key=key, digest_size=16)

    def digest(content: bytes) -> bytes:
        mac = base.copy()
        mac.update(content)
        return mac.digest()

    return list(map(digest, contents))


def keyed_hashes(messages: Iterable[bytes], *, key: bytes, purpose: bytes) -> NDArray[np.uint64]:
    """The first 64 bits of HMAC-SHA-256 of each message, under a purpose of its own so that no use predicts another."""
    base = hmac.new(key, purpose + b"\x00", "sha256")

    def digest(message: bytes) -> bytes:
        mac = base.copy()
        mac.update(message)
        return mac.digest()[:8]

    return np.frombuffer(b"".join(map(digest, messages)), dtype=">u8").astype(np.uint64)


def row_bytes(batch: pa.RecordBatch, columns: Iterable[str]) -> list[bytes]:
    """Each row's content over `columns` as bytes, the same for equal rows whatever the batch.

    Args:
        batch: rows.
        columns: which columns count, in a fixed order.
    """
    parts = []
    for name in columns:
        column = batch.column(name)
        distinct = pc.dictionary_encode(column, null_encoding="encode")
        texts = np.array(
            [b"\x00" if v is None else b"\x01" + v.encode() for v in _texts(distinct.dictionary).to_pylist()] or [b""],
            dtype=object,
        )
        length = np.array([len(t).to_bytes(4, "big") + t for t in texts], dtype=object)
        parts.append(length[distinct.indices.to_numpy(zero_copy_only=False)])
    return [b"".join(row) for row in zip(*parts, strict=True)]


def _texts(values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type):
        return values
    return pc.cast(values, pa.string())
