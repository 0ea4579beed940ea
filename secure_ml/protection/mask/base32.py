"""Base32 (RFC 4648, lower-case, without padding) of many byte strings at once.

Belongs here: the encoding, and its inverse for one string. Must stay out: what is encoded.
"""

import base64

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_GROUP, _LETTERS = 5, 8
_WORD, _TEN_BITS = 8, np.uint64(1023)
_CHUNK = 2**12
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
    letters = -(-_LETTERS * width // _GROUP)
    characters = np.empty((count, len(mark) + letters + letters % 2), np.uint8)
    characters[:, : len(mark)] = np.frombuffer(mark.encode(), np.uint8)
    pairs = characters.view(np.uint16)[:, len(mark) // 2 :]
    for begin in range(0, count, _CHUNK):
        _write(strings[begin : begin + _CHUNK], pairs[begin : begin + _CHUNK])
    if lengths is None or (lengths == width).all():
        bounds = np.arange(count + 1) * (len(mark) + letters)
        text = np.ascontiguousarray(characters[:, : len(mark) + letters])
    else:
        ends = len(mark) - (-_LETTERS * lengths // _GROUP)
        bounds = np.concatenate([[0], np.cumsum(ends)])
        text = characters[np.arange(characters.shape[1]) < ends[:, None]]
    large = pa.LargeStringArray.from_buffers(count, pa.py_buffer(bounds), pa.py_buffer(text))
    return large.cast(pa.string())


def _write(strings: npt.NDArray[np.uint8], pairs: npt.NDArray[np.uint16]) -> None:
    """Writes the letters of each row, two at a time."""
    count, width = strings.shape
    # Each group of five bytes is the upper part of a word that begins with it.
    padded = np.zeros((count, width + _WORD), np.uint8)
    padded[:, :width] = strings
    for place in range(pairs.shape[1]):
        group, pair = divmod(place, _LETTERS // 2)
        if not pair:
            words = np.ndarray(count, ">u8", padded, _GROUP * group, (width + _WORD,)).astype(np.uint64)
        ten = words >> np.uint64(54 - 10 * pair)
        ten &= _TEN_BITS
        pairs[:, place] = _PAIRS.take(ten.view(np.int64))


def decoded(text: str) -> bytes | None:
    """The bytes of one text without its mark; None if it is not what `encoded` writes."""
    try:
        found = base64.b32decode(text.upper() + "=" * (-len(text) % _LETTERS))
    except ValueError:
        return None
    return found if base64.b32encode(found).decode().rstrip("=").lower() == text else None
