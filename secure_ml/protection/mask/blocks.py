"""AES over the blocks of many strings at once.

Belongs here: where a string's blocks lie, and the one call of AES for all of them. Must stay out: modes and codes.

Strings of equally many blocks are worked on together: a loop over blocks, never over strings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

Bytes = npt.NDArray[np.uint8]
Rows = slice | npt.NDArray[np.int64]

BLOCK = 16
WHOLE = np.dtype((np.void, BLOCK))
"""A block as one item, which is copied several times as fast as its bytes."""

_CHUNK = 2**14
"""Strings that are worked on together; their blocks stay in a core's cache."""

OWN = np.tri(BLOCK + 1, BLOCK, -1, dtype=np.uint8) * np.uint8(0xFF)
"""Row n: which bytes of a last block are the string's own when it has n bytes; shape (17, 16)."""


class BlockKeyError(ValueError):
    """A key that AES cannot take."""


class Aes:
    """The block cipher alone, for what is built from it.

    Args:
        key: 16, 24 or 32 secret bytes.

    Raises:
        BlockKeyError: the key has another length.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) not in {16, 24, 32}:
            raise BlockKeyError("an AES key has 16, 24 or 32 bytes")
        cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - the block cipher alone
        self._context: CipherContext = cipher.encryptor()

    def encrypted(self, blocks: Bytes) -> Bytes:
        """Each block through AES; shape (blocks, 16)."""
        result = bytearray(blocks.size + BLOCK - 1)
        self._context.update_into(np.ascontiguousarray(blocks).reshape(-1).data, result)
        return np.frombuffer(result, np.uint8, blocks.size).reshape(-1, BLOCK)


@dataclass(frozen=True)
class Strings:
    """Strings with as many blocks each; an empty string has one.

    Attributes:
        rows: selects them from the column.
        blocks: each block of all of them, shape (strings, 16); what follows a string in its last block is zero.
        left: bytes of each string that lie in its last block.
    """

    rows: Rows
    blocks: list[Bytes]
    left: npt.NDArray[np.int64]


def by_blocks(strings: pa.Array) -> Iterator[Strings]:
    """The strings' UTF-8 bytes (or the bytes of a binary column) in groups; none of them is null."""
    bounds, data = _buffers(strings)
    windows = np.ndarray(len(data) - BLOCK + 1, WHOLE, data, strides=(1,))
    for begin in range(0, len(strings), _CHUNK):
        starts = bounds[begin : begin + _CHUNK + 1]
        lengths = np.diff(starts)
        counts = np.maximum(1, -(-lengths // BLOCK))
        # Most columns have strings of like length, and sorting costs more than looking.
        alike = counts.min() == counts.max()
        for count in counts[:1].tolist() if alike else np.unique(counts).tolist():
            own: Any = slice(0, len(counts)) if alike else np.flatnonzero(counts == count)
            first, left = starts[:-1][own], lengths[own] - BLOCK * (count - 1)
            blocks = [_whole(windows, first + BLOCK * place) for place in range(count)]
            for last, kept in in_words(blocks[-1], by_bytes(OWN, left)):
                last &= kept
            yield Strings(slice(begin, begin + len(counts)) if alike else begin + own, blocks, left)


def by_bytes(table: Bytes, left: npt.NDArray[np.int64]) -> Bytes:
    """The row of a table for each number of bytes; one row for all where they are the same."""
    return table[left[0]] if (left == left[0]).all() else table[left]


def in_words(blocks: Bytes, others: Bytes) -> Iterator[tuple[npt.NDArray[np.uint64], Any]]:
    """Each half of the blocks, beside that of others: as many, or one for all.

    What is done to halves in place is done to the blocks, several times as fast as byte by byte.
    """
    words, beside = blocks.view(np.uint64), others.view(np.uint64)
    for half in range(2):
        yield words[:, half], beside[..., half]


def add(blocks: Bytes, others: Bytes) -> None:
    """Adds others to the blocks (exclusive or), in place: as many, or one to all."""
    for words, beside in in_words(blocks, others):
        words ^= beside


def _whole(windows: npt.NDArray[np.void], first: npt.NDArray[np.int64]) -> Bytes:
    """The blocks that begin at some places; a copy."""
    step = int(first[1] - first[0]) if len(first) > 1 else 1
    even = step > 0 and (np.diff(first) == step).all()
    found = windows[first[0] : first[-1] + 1 : step].copy() if even else windows[first]
    return found.view(np.uint8).reshape(-1, BLOCK)


def _buffers(strings: pa.Array) -> tuple[npt.NDArray[np.int64], Bytes]:
    """Where each string begins and ends, and the bytes with a block of zeros behind them."""
    large = strings.cast(pa.large_binary())
    _, offsets, data = large.buffers()
    if not len(large):
        return np.zeros(1, np.int64), np.zeros(BLOCK, np.uint8)
    bounds: npt.NDArray[Any] = np.frombuffer(offsets, np.int64)[large.offset : large.offset + len(large) + 1]
    own = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]] if data is not None else np.empty(0, np.uint8)
    return bounds - bounds[0], np.concatenate([own, np.zeros(BLOCK, np.uint8)])
