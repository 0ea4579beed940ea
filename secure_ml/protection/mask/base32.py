"""Base32 (RFC 4648, lower-case, without padding) of many byte strings at once.

Belongs here: the encoding, and its inverse for one string. Must stay out: what is encoded.
"""

import base64

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_GROUP, _LETTERS = 5, 8
_BYTE, _TEN_BITS = np.uint64(8), np.uint64(1023)
_CHUNK = 2**14
_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", np.uint8)
_PAIRS = np.stack([np.repeat(_ALPHABET, 32), np.tile(_ALPHABET, 32)], axis=1).copy().view(np.uint16)[:, 0]
"""The two letters of each ten bits."""


def encoded(strings: npt.NDArray[np.uint8], lengths: npt.NDArray[np.int64] | None = None, *, mark: str) -> pa.Array:
    """Each row as text.

    Args:
        strings: shape (strings, width).
        lengths: how many bytes of each row belong to it; all of them when not given.
        mark: what each text begins with; of even length.
    """
    count, width = strings.shape
    characters = np.empty((count, len(mark) + _LETTERS * -(-width // _GROUP)), np.uint8)
    characters[:, : len(mark)] = np.frombuffer(mark.encode(), np.uint8)
    pairs = characters.view(np.uint16)[:, len(mark) // 2 :]
    for begin in range(0, count, _CHUNK):
        _write(strings[begin : begin + _CHUNK], pairs[begin : begin + _CHUNK])
    if lengths is None:
        lengths = np.full(count, width)
    ends = len(mark) - (-_LETTERS * lengths // _GROUP)
    if count and (ends == ends[0]).all():
        text = np.ascontiguousarray(characters[:, : ends[0]])
    else:
        text = characters[np.arange(characters.shape[1]) < ends[:, None]]
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(ends, out=offsets[1:])
    large = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))
    return large.cast(pa.string())


def _write(strings: npt.NDArray[np.uint8], pairs: npt.NDArray[np.uint16]) -> None:
    """Writes the letters of each row, two at a time."""
    width = strings.shape[1]
    for group in range(0, width, _GROUP):
        number = np.zeros(len(strings), np.uint64)
        for place in range(group, group + _GROUP):
            number <<= _BYTE
            if place < width:
                number |= strings[:, place]
        for pair in range(_LETTERS // 2):
            ten = (number >> np.uint64(30 - 10 * pair)) & _TEN_BITS
            pairs[:, group // _GROUP * _LETTERS // 2 + pair] = _PAIRS.take(ten.astype(np.intp))


def decoded(text: str) -> bytes | None:
    """The bytes of one text without its mark; None if it is not what `encoded` writes."""
    try:
        found = base64.b32decode(text.upper() + "=" * (-len(text) % _LETTERS))
    except ValueError:
        return None
    return found if base64.b32encode(found).decode().rstrip("=").lower() == text else None
