"""FF1 format-preserving encryption (NIST SP 800-38G), of whole columns at once.

Belongs here: the cipher over arrays of numerals. Must stay out: alphabets and texts, keys, and which tweak is used.

FF1 is a Feistel network of ten rounds over two halves of a numeral string. Every step is done for all values together:
one call of AES for a round, and exact integers in limbs of at most 31 bits. A cipher over few values is a lookup table
that anyone with some pairs can write down, so a domain below a million values is refused, as the standard demands.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

Numerals = npt.NDArray[Any]
_Limbs = list[npt.NDArray[np.uint64]]
"""A number for each value, the least significant limb first."""

SMALLEST_DOMAIN = 1_000_000
"""Values that a domain has at least: radix to the power of the length (NIST SP 800-38G rev. 1, section 5.1)."""

_ROUNDS, _BLOCK, _WORD_BITS, _LIMB_BITS = 10, 16, 32, 31
_LONGEST = 2**16  # numerals of a value, and bytes of a tweak; the standard would allow more
_WORD_MASK, _SHORT_PAD = 2**_WORD_BITS - 1, 8
_CHUNK_BYTES = 2**18
"""What the blocks of one round may take: it stays in a core's cache."""


class FormatPreservingError(ValueError):
    """Numerals, a key or a radix that this cipher cannot take; the text holds no numeral."""


class SmallDomain(FormatPreservingError):
    """So few values are possible that encryption would hide none of them."""


class FF1:
    """FF1 with AES, for strings of numerals of one radix.

    Args:
        key: 16, 24 or 32 secret bytes.
        radix: how many numerals there are, 2 to 65536.
        allow_small_domain: for published vectors only: takes domains that the standard refuses.

    Raises:
        FormatPreservingError: the key or radix is none.
    """

    def __init__(self, key: bytes, radix: int, *, allow_small_domain: bool = False) -> None:
        if len(key) not in {16, 24, 32}:
            raise FormatPreservingError("an FF1 key has 16, 24 or 32 bytes")
        if not 2 <= radix <= 2**16:
            raise FormatPreservingError("an FF1 radix lies between 2 and 65536")
        self._cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - the block cipher alone, as FF1 is built
        self._radix, self._allow_small = radix, allow_small_domain

    def encrypt(self, numerals: Numerals, tweak: bytes) -> Numerals:
        """Each row encrypted.

        Args:
            numerals: integers from 0 to radix - 1, shape (values, length).
            tweak: not secret; the same value under another tweak has another ciphertext.

        Returns:
            Numerals of the same shape, and of the same type if it holds the radix.

        Raises:
            SmallDomain: radix ** length is below a million.
            FormatPreservingError: these are no numerals of the radix.
        """
        return self._crypt(numerals, tweak, decrypt=False)

    def decrypt(self, numerals: Numerals, tweak: bytes) -> Numerals:
        """The inverse of `encrypt` under the same tweak; another tweak or key gives other numerals, and no error."""
        return self._crypt(numerals, tweak, decrypt=True)

    def _crypt(self, numerals: Numerals, tweak: bytes, *, decrypt: bool) -> Numerals:
        self._require_numerals(numerals, tweak)
        shape = _Shape(self._radix, numerals.shape[1])
        holds = np.iinfo(numerals.dtype).max >= self._radix - 1
        result = np.empty(numerals.shape, numerals.dtype if holds else np.min_scalar_type(self._radix - 1))
        rounds = _Rounds(self._cipher.encryptor(), shape, tweak)
        step = max(1, _CHUNK_BYTES // (_BLOCK * rounds.blocks))
        for start in range(0, len(numerals), step):
            rows = slice(start, start + step)
            rounds.run(numerals[rows], result[rows], decrypt=decrypt)
        return result

    def _require_numerals(self, numerals: Numerals, tweak: bytes) -> None:
        if numerals.ndim != 2 or not np.issubdtype(numerals.dtype, np.integer):
            raise FormatPreservingError("FF1 takes integers of shape (values, length)")
        length = numerals.shape[1]
        if not 2 <= length <= _LONGEST or len(tweak) > _LONGEST:
            raise FormatPreservingError(f"FF1 takes 2 to {_LONGEST} numerals, and at most {_LONGEST} bytes of tweak")
        # Twenty binary numerals are over a million values: a longer string never needs its power.
        if length < 20 and self._radix**length < SMALLEST_DOMAIN and not self._allow_small:
            raise SmallDomain(
                f"{length} numerals of radix {self._radix} have fewer than {SMALLEST_DOMAIN:,} values, so that "
                "encryption hides none of them; use another treatment"
            )
        if numerals.size and (int(numerals.min()) < 0 or int(numerals.max()) >= self._radix):
            raise FormatPreservingError(f"a numeral is not between 0 and {self._radix - 1}")


@dataclass(frozen=True)
class _Shape:
    """The sizes that follow from radix and length, in the standard's letters.

    Attributes:
        radix: of the numerals.
        n: numerals of a value.
    """

    radix: int
    n: int

    @cached_property
    def u(self) -> int:
        """Numerals of the left half."""
        return self.n // 2

    @cached_property
    def v(self) -> int:
        """Numerals of the right half, which is never the shorter one."""
        return self.n - self.u

    @cached_property
    def b(self) -> int:
        """Bytes that hold the right half; exact, where a floating-point logarithm is not."""
        largest: int = self.radix**self.v - 1
        return (largest.bit_length() + 7) // 8

    @cached_property
    def d(self) -> int:
        """Bytes of what a round adds."""
        return 4 * -(-self.b // 4) + 4

    @cached_property
    def limb_numerals(self) -> int:
        """Numerals of a full limb."""
        numerals = 1
        while self.radix ** (numerals + 1) <= 2**_LIMB_BITS:
            numerals += 1
        return numerals

    @cached_property
    def limb_modulus(self) -> int:
        """What a full limb is below."""
        return int(self.radix**self.limb_numerals)

    def moduli(self, half: int) -> list[int]:
        """What each limb of a number of `half` numerals is below."""
        full, rest = divmod(half, self.limb_numerals)
        return [self.limb_modulus] * full + ([self.radix**rest] if rest else [])


class _Rounds:
    """The Feistel network for one shape and tweak.

    Attributes:
        blocks: AES blocks of each value in a round that differ from value to value.
    """

    def __init__(self, aes: CipherContext, shape: _Shape, tweak: bytes) -> None:
        self._aes, self._shape = aes, shape
        self.blocks = -(-(shape.b + 1) // _BLOCK)
        padding = bytes((-len(tweak) - shape.b - 1) % _BLOCK)
        header = bytes([1, 2, 1]) + shape.radix.to_bytes(3, "big") + bytes([_ROUNDS, shape.u % 256])
        header += shape.n.to_bytes(4, "big") + len(tweak).to_bytes(4, "big")
        fixed = header + tweak + padding + bytes(1 + shape.b)
        same, self._tail = fixed[: -_BLOCK * self.blocks], fixed[-_BLOCK * self.blocks :]
        state = bytes(_BLOCK)
        for start in range(0, len(same), _BLOCK):
            mixed = np.frombuffer(state, np.uint8) ^ np.frombuffer(same, np.uint8, _BLOCK, start)
            state = self._encrypted(mixed).tobytes()
        self._state = state
        self._chain = np.empty((self.blocks, 0, 4), dtype=">u4")

    def run(self, numerals: Numerals, result: Numerals, *, decrypt: bool) -> None:
        """All rounds over some values."""
        shape = self._shape
        left, right = _packed(numerals[:, : shape.u], shape), _packed(numerals[:, shape.u :], shape)
        for i in range(_ROUNDS):
            number = _ROUNDS - 1 - i if decrypt else i
            moduli = shape.moduli(shape.u if number % 2 == 0 else shape.v)
            if decrypt:
                left, right = _subtracted(right, self._pad(number, left, moduli), moduli), left
            else:
                left, right = right, _added(left, self._pad(number, right, moduli), moduli)
        _unpack(left, result[:, : shape.u], shape)
        _unpack(right, result[:, shape.u :], shape)

    def _pad(self, number: int, half: _Limbs, moduli: list[int]) -> _Limbs:
        """What a round adds to one half, from the other half."""
        shape, count = self._shape, len(half[0])
        tail = bytearray(self._tail)
        tail[-1 - shape.b] = number
        tail[:_BLOCK] = (np.frombuffer(tail, np.uint8, _BLOCK) ^ np.frombuffer(self._state, np.uint8)).tobytes()
        fixed = np.frombuffer(bytes(tail), dtype=">u4").astype(np.uint64)
        chain = self._chain
        if chain.shape[1] != count:
            chain = self._chain = np.empty((self.blocks, count, 4), dtype=">u4")
            chain[:] = fixed.reshape(self.blocks, 1, 4)
        # Between rounds only the number of the round changes, and the words of the half; the number may lie among them.
        if shape.b % 4 == 0:
            block, index = divmod(4 * self.blocks - 1 - shape.b // 4, 4)
            chain[block, :, index] = fixed[4 * block + index]
        for place, word in enumerate(_words(half, shape.limb_modulus, -(-shape.b // 4))):
            block, index = divmod(4 * self.blocks - 1 - place, 4)
            chain[block, :, index] = word ^ fixed[4 * block + index]
        result = self._encrypted(chain[0])
        for block in chain[1:]:
            result = self._encrypted(result ^ block.view(np.uint8).reshape(count, _BLOCK))
        more = [result]
        for j in range(1, -(-shape.d // _BLOCK)):
            counter = np.frombuffer(j.to_bytes(_BLOCK, "big"), np.uint8)
            more.append(self._encrypted(result ^ counter))
        return _reduced(more, shape.d, moduli)

    def _encrypted(self, blocks: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Each block through AES; shape (values, 16)."""
        result = bytearray(blocks.nbytes + _BLOCK - 1)
        self._aes.update_into(np.ascontiguousarray(blocks).view(np.uint8).reshape(-1).data, result)
        return np.frombuffer(result, np.uint8, blocks.nbytes).reshape(-1, _BLOCK)


def _packed(numerals: Numerals, shape: _Shape) -> _Limbs:
    """Numbers of numerals, the most significant of which comes first."""
    limbs = []
    for end in range(numerals.shape[1], 0, -shape.limb_numerals):
        start = max(0, end - shape.limb_numerals)
        limb = numerals[:, start].astype(np.uint64)
        for column in range(start + 1, end):
            limb *= shape.radix
            limb += numerals[:, column].astype(np.uint64)
        limbs.append(limb)
    return limbs


def _unpack(limbs: _Limbs, result: Numerals, shape: _Shape) -> None:
    """Writes the numerals of numbers."""
    column = result.shape[1]
    for limb in limbs:
        rest = limb.astype(np.uint32)
        for _ in range(min(shape.limb_numerals, column)):
            column -= 1
            higher = rest // shape.radix
            result[:, column] = rest - higher * shape.radix
            rest = higher


def _added(numbers: _Limbs, others: _Limbs, moduli: list[int]) -> _Limbs:
    """Sums, without what does not fit."""
    result, carry = [], None
    for limb, other, modulus in zip(numbers, others, moduli, strict=True):
        total = limb + other if carry is None else limb + other + carry
        result.append(_once(total, modulus))
        carry = total >= modulus if len(result) < len(moduli) else None
    return result


def _subtracted(numbers: _Limbs, others: _Limbs, moduli: list[int]) -> _Limbs:
    """Differences, without what does not fit."""
    result, borrow = [], None
    for limb, other, modulus in zip(numbers, others, moduli, strict=True):
        total = limb + modulus - other if borrow is None else limb + modulus - other - borrow
        result.append(_once(total, modulus))
        borrow = total < modulus if len(result) < len(moduli) else None
    return result


def _once(totals: npt.NDArray[np.uint64], modulus: int) -> npt.NDArray[np.uint64]:
    """Numbers below twice the modulus, without what does not fit; what is taken from a smaller one wraps around."""
    smaller: npt.NDArray[np.uint64] = np.minimum(totals, totals - np.uint64(modulus))
    return smaller


def _words(limbs: _Limbs, modulus: int, count: int) -> _Limbs:
    """Numbers in words of 32 bits, by Horner's rule."""
    words: _Limbs = [limbs[-1], *(np.zeros_like(limbs[-1]) for _ in range(count - 1))]
    for limb in limbs[-2::-1]:
        carry = limb
        for place, word in enumerate(words):
            total = word * np.uint64(modulus) + carry
            words[place], carry = total & np.uint64(_WORD_MASK), total >> np.uint64(_WORD_BITS)
    return words


def _reduced(blocks: list[npt.NDArray[np.uint8]], size: int, moduli: list[int]) -> _Limbs:
    """The first bytes of the blocks as numbers, without what does not fit."""
    if size == _SHORT_PAD and len(moduli) == 1:
        number = blocks[0].view(">u8")[:, 0].astype(np.uint64)
        return [number - number // moduli[0] * np.uint64(moduli[0])]
    words = [block.view(">u4")[:, index] for block in blocks for index in range(4)][: size // 4]
    limbs: _Limbs = [np.zeros(len(blocks[0]), np.uint64) for _ in moduli]
    for word in words:
        carry = word.astype(np.uint64)
        for place, modulus in enumerate(moduli):
            total = (limbs[place] << np.uint64(_WORD_BITS)) + carry
            carry = total // np.uint64(modulus)
            limbs[place] = total - carry * np.uint64(modulus)
    return limbs
