"""AES-SIV (RFC 5297) of many strings at once: encryption that authenticates, and gives equal strings equal texts.

Belongs here: the mode, for associated data that all strings share. Must stay out: where keys come from, the encoding.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from secure_ml.protection.mask.blocks import BLOCK, OWN, WHOLE, Aes, Bytes, Rows, add, by_blocks, by_bytes, in_words
from secure_ml.protection.mask.cmac import PADDING, Cmac, Ends, doubled

_COUNTER = np.full(BLOCK, 0xFF, np.uint8)
_COUNTER[[8, 12]] = 0x7F
"""Bits of the vector that the counter begins with; the cleared ones keep it from overflowing (section 2.5)."""


@dataclass(frozen=True)
class Sealed:
    """Some of the strings, encrypted.

    Attributes:
        rows: selects them from the column.
        bytes: the vector and the ciphertext of each, shape (strings, width); zero behind the end.
        lengths: bytes of each.
    """

    rows: Rows
    bytes: Bytes
    lengths: npt.NDArray[np.int64]


def sealed(key: bytes, strings: pa.Array, *, associated: bytes) -> Iterator[Sealed]:
    """Each string's bytes encrypted.

    Args:
        key: 32, 48 or 64 secret bytes; the first half authenticates, the second encrypts.
        strings: none of them null.
        associated: what is authenticated with each of them.

    Raises:
        BlockKeyError: the key has another length.
    """
    half = len(key) // 2
    cmac, aes = Cmac(key[:half]), Aes(key[half:])
    ends = _ends(cmac, associated)
    vectors = cmac.codes(strings, ends=ends)
    for group in by_blocks(strings):
        vector = vectors[group.rows]
        count = len(group.blocks)
        stream = aes.encrypted(_counters(vector, count)).reshape(count, -1, BLOCK)
        for mask, block in zip(stream, group.blocks, strict=True):
            add(mask, block)
        for last, kept in in_words(stream[-1], by_bytes(OWN, group.left)):
            last &= kept
        parts = np.hstack([part.view(WHOLE) for part in (vector, *stream)])
        yield Sealed(group.rows, parts.view(np.uint8), group.left + BLOCK * count)


def _ends(cmac: Cmac, associated: bytes) -> Ends:
    """What S2V adds to the end of a string, where CMAC alone would add its subkey (section 2.4)."""
    mixed = doubled(cmac.code(bytes(BLOCK))) ^ cmac.code(associated)
    short = PADDING ^ doubled(mixed) ^ cmac.whole
    short[BLOCK] = mixed ^ cmac.whole
    last, before = cmac.last.copy(), np.zeros_like(cmac.last)
    for left in range(BLOCK + 1):
        last[left, :left] ^= mixed[BLOCK - left :]
        before[left, left:] ^= mixed[: BLOCK - left]
    return Ends(short, last, before)


def _counters(vectors: Bytes, count: int) -> Bytes:
    """The counters of all strings' first blocks, then of their second ones, …; shape (count · strings, 16)."""
    counters = np.empty((count, *vectors.shape), np.uint8)
    counters[0] = vectors
    for words, kept in in_words(counters[0], _COUNTER):
        words &= kept
    low = counters.view(">u8")[:, :, 1]
    for place in range(1, count):
        counters[place] = counters[0]
        low[place] += np.uint64(place)
    return counters.reshape(-1, BLOCK)


def opened(key: bytes, unverified: bytes, *, associated: bytes) -> bytes | None:
    """The string of one vector and ciphertext; None if it was not made with this key and associated data."""
    half = len(key) // 2
    vector, ciphertext = unverified[:BLOCK], unverified[BLOCK:]
    if len(vector) < BLOCK:
        return None
    count = max(1, -(-len(ciphertext) // BLOCK))
    vectors = np.frombuffer(vector, np.uint8).reshape(1, BLOCK)
    stream = Aes(key[half:]).encrypted(_counters(vectors, count)).tobytes()
    string = bytes(one ^ other for one, other in zip(ciphertext, stream, strict=False))
    cmac = Cmac(key[:half])
    again = cmac.codes(pa.array([string], pa.binary()), ends=_ends(cmac, associated)).tobytes()
    return string if hmac.compare_digest(again, vector) else None
