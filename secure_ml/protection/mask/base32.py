"""Base32 (RFC 4648, lower-case, without padding) of many byte strings at once.

Belongs here: the encoding, and its inverse for one string. Must stay out: what is encoded.
"""

import base64

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_GROUP, _LETTERS = 5, 8
_CHUNK = 2**15
"""Groups that are worked on together; they stay in a core's cache."""


def _bytes(*eight: int) -> np.uint64:
    return np.uint64(int.from_bytes(bytes(eight), "big"))


_HALVES = _bytes(0, 0x0F, 0xFF, 0xFF, 0, 0, 0, 0), _bytes(0, 0, 0, 0, 0, 0x0F, 0xFF, 0xFF)
_TENS = _bytes(*(0x03, 0xFF, 0, 0) * 2), _bytes(*(0, 0, 0x03, 0xFF) * 2)
_FIVES = _bytes(*(0x1F, 0) * 4), _bytes(*(0, 0x1F) * 4)
"""Where the bits of a group lie when they are halved again and again: each upper half, and each lower one."""

_A, _ONE, _TO_DIGITS = _bytes(*b"a" * 8), _bytes(*[1] * 8), np.uint64(ord("a") + 26 - ord("2"))
_FROM_26 = _bytes(*[0x80 - 26] * 8)
"""Added to a number of five bits, it sets the byte's highest bit from 26 on, where the digits begin."""


def encoded(strings: npt.NDArray[np.uint8], lengths: npt.NDArray[np.int64] | None = None, *, mark: str) -> pa.Array:
    """Each row as text.

    Args:
        strings: shape (strings, width).
        lengths: how many bytes of each row belong to it, behind which it is zero; all of them when not given.
        mark: what each text begins with.
    """
    count, width = strings.shape
    used = int(lengths.max(initial=0)) if lengths is not None else width
    characters = _written(strings, used, mark.encode())
    if lengths is None or (lengths == used).all():
        bounds = np.arange(count + 1) * characters.shape[1]
        text = characters.reshape(-1)
    else:
        ends = len(mark) - (-_LETTERS * lengths // _GROUP)
        bounds = np.concatenate([[0], np.cumsum(ends)])
        text = characters[np.arange(characters.shape[1]) < ends[:, None]]
    large = pa.LargeStringArray.from_buffers(count, pa.py_buffer(bounds), pa.py_buffer(text))
    return large.cast(pa.string())


def _written(strings: npt.NDArray[np.uint8], used: int, mark: bytes) -> npt.NDArray[np.uint8]:
    """The mark and the letters of the bytes of each row that are used; shape (strings, mark and letters)."""
    count, width = strings.shape
    groups, row = -(-used // _GROUP), len(mark) - (-_LETTERS * used // _GROUP)
    # Words of eight bytes are read and written, which at the end of a row reach into the next one.
    given = np.concatenate([strings.reshape(-1), np.zeros(_LETTERS, np.uint8)])
    made = np.empty(count * row + _LETTERS, np.uint8)
    begins = np.frombuffer(mark, np.dtype((np.void, len(mark))))
    step = max(1, _CHUNK // max(1, groups))
    for first in range(0, count, step):
        size = min(step, count - first)
        words = np.empty((groups, size), np.uint64)
        for group in range(groups):
            words[group] = np.ndarray(size, ">u8", given, first * width + _GROUP * group, (width,))
        words[-1:] &= ~np.uint64(0) << np.uint64(_LETTERS * (_LETTERS + _GROUP * (groups - 1) - used))
        _spread(words)
        for group in reversed(range(groups)):
            np.ndarray(size, ">u8", made, first * row + len(mark) + _LETTERS * group, (row,))[:] = words[group]
        np.ndarray(size, begins.dtype, made, first * row, (row,))[:] = begins
    return made[: count * row].reshape(count, row)


def _spread(words: npt.NDArray[np.uint64]) -> None:
    """Turns the upper five bytes of each word into their eight letters."""
    low = words >> np.uint64(24)
    words >>= np.uint64(12)
    for place, (upper, lower) in enumerate((_HALVES, _TENS, _FIVES)):
        if place:
            np.copyto(low, words)
            words <<= np.uint64(12 >> place)
        words &= upper
        low &= lower
        words |= low
    np.add(words, _FROM_26, out=low)
    low >>= np.uint64(7)
    low &= _ONE
    low *= _TO_DIGITS
    words += _A
    words -= low


def decoded(text: str) -> bytes | None:
    """The bytes of one text without its mark; None if it is not what `encoded` writes."""
    try:
        found = base64.b32decode(text.upper() + "=" * (-len(text) % _LETTERS))
    except ValueError:
        return None
    return found if base64.b32encode(found).decode().rstrip("=").lower() == text else None
