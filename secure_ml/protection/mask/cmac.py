"""AES-CMAC (NIST SP 800-38B, RFC 4493) of many strings at once.

Belongs here: the authentication code. Must stay out: what it is made for, and its encoding.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.protection.mask.blocks import BLOCK, Aes, Bytes, add, by_blocks, by_bytes

PADDING = np.zeros((BLOCK + 1, BLOCK), np.uint8)
PADDING[np.arange(BLOCK), np.arange(BLOCK)] = 0x80
"""Row n: the bit of one that follows n bytes in a last block; a full one has none."""


@dataclass(frozen=True)
class Ends:
    """What is added to the last blocks of a string, by the bytes that lie in the last one; each of shape (17, 16).

    Attributes:
        only: to the only block of a string.
        last: to the last of several.
        before: to the one before the last.
    """

    only: Bytes
    last: Bytes
    before: Bytes


class Cmac:
    """The code under one key.

    Args:
        key: 16, 24 or 32 secret bytes.

    Attributes:
        whole: the subkey for a last block that is full.
        last: what is added to a last block: padding and subkey, by the bytes that lie in it.

    Raises:
        BlockKeyError: the key has another length.
    """

    def __init__(self, key: bytes) -> None:
        self._aes = Aes(key)
        self.whole = doubled(self._aes.encrypted(np.zeros((1, BLOCK), np.uint8))[0])
        padded = doubled(self.whole)
        last = PADDING ^ padded
        last[BLOCK] = self.whole
        self._ends = Ends(last, last, np.zeros_like(last))
        self.last = last

    def code(self, message: bytes) -> Bytes:
        """The code of one message; shape (16,)."""
        code: Bytes = self.codes(pa.array([message], pa.binary()))[0]
        return code

    def codes(self, strings: pa.Array, *, prefix: bytes = b"", ends: Ends | None = None) -> Bytes:
        """The code of each string's bytes.

        Args:
            strings: none of them null.
            prefix: bytes that come before each of them; whole blocks cost nothing.
            ends: in place of CMAC's own, for what is built on it.

        Returns:
            Shape (strings, 16).
        """
        ends = ends or self._ends
        if rest := prefix[len(prefix) - len(prefix) % BLOCK :]:
            prefix = prefix[: -len(rest)]
            kind = pa.large_binary()
            strings = pc.binary_join_element_wise(pa.scalar(rest, kind), strings.cast(kind), pa.scalar(b"", kind))
        start = np.zeros((1, BLOCK), np.uint8)
        for place in range(0, len(prefix), BLOCK):
            start = self._aes.encrypted(start ^ np.frombuffer(prefix, np.uint8, BLOCK, place))
        codes = np.empty((len(strings), BLOCK), np.uint8)
        for group in by_blocks(strings):
            *blocks, last = group.blocks
            if blocks:
                add(blocks[-1], by_bytes(ends.before, group.left))
            state = start
            for block in blocks:
                add(block, state)
                state = self._aes.encrypted(block)
            add(last, by_bytes(ends.last if blocks else ends.only, group.left))
            add(last, state)
            made = self._aes.encrypted(last)
            # An empty string ends with the prefix, so that the prefix's own last block is the one that closes it.
            if prefix and (empty := group.left == 0).any():
                made[empty] = self.code(prefix)
            codes[group.rows] = made
        return codes


def aes_cmac(key: bytes, strings: pa.Array, *, prefix: bytes = b"") -> Bytes:
    """The code of each string's bytes under a key; see `Cmac`."""
    return Cmac(key).codes(strings, prefix=prefix)


def doubled(block: Bytes) -> Bytes:
    """The block times x in the field of 2^128 elements."""
    number = int.from_bytes(block.tobytes(), "big") << 1
    if number >> 128:
        number = (number & (2**128 - 1)) ^ 0x87
    return np.frombuffer(number.to_bytes(BLOCK, "big"), np.uint8)
