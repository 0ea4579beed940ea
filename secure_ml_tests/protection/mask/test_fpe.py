"""FF1 against the standard's samples, against a plain reading of the standard, and with what it must refuse."""

from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.protection.mask.fpe import FF1, FormatPreservingError, SmallDomain
from secure_ml_tests.vectors.ciphers import cases

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_128 = "2B7E151628AED2A6ABF7158809CF4F3C"
_192 = _128 + "EF4359D8D580AA4F"
_256 = _192 + "7F036D6F04FC6A94"
_TWEAKS = ("", "39383736353433323130", "3737373770717273373737")
SAMPLES = [
    (_128, 10, _TWEAKS[0], "0123456789", "2433477484"),
    (_128, 10, _TWEAKS[1], "0123456789", "6124200773"),
    (_128, 36, _TWEAKS[2], "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (_192, 10, _TWEAKS[0], "0123456789", "2830668132"),
    (_192, 10, _TWEAKS[1], "0123456789", "2496655549"),
    (_192, 36, _TWEAKS[2], "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
    (_256, 10, _TWEAKS[0], "0123456789", "6657667009"),
    (_256, 10, _TWEAKS[1], "0123456789", "1001623463"),
    (_256, 36, _TWEAKS[2], "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
]
"""Key, radix, tweak, plaintext, ciphertext: NIST, "FF1 samples" to SP 800-38G."""


def _numerals(text: str, alphabet: str, *, copies: int = 3) -> np.ndarray:
    return np.array([[alphabet.index(one) for one in text]] * copies)


@pytest.mark.parametrize(("key", "radix", "tweak", "plaintext", "ciphertext"), SAMPLES)
def test_the_samples_of_the_standard(key: str, radix: int, tweak: str, plaintext: str, ciphertext: str) -> None:
    cipher = FF1(bytes.fromhex(key), radix)
    plain, cryptic = _numerals(plaintext, DIGITS), _numerals(ciphertext, DIGITS)
    assert cipher.encrypt(plain, bytes.fromhex(tweak)).tolist() == cryptic.tolist()
    assert cipher.decrypt(cryptic, bytes.fromhex(tweak)).tolist() == plain.tolist()


@pytest.mark.parametrize("case", cases("acvp_aes_ff1") + cases("wycheproof_aes_ff1"), ids=lambda case: str(case["id"]))
def test_published_cases(case: dict[str, Any]) -> None:
    cipher = FF1(bytes.fromhex(case["key"]), case["radix"], allow_small_domain=True)
    plain, cryptic, tweak = case["plaintext"], case["ciphertext"], bytes.fromhex(case["tweak"])
    assert cipher.encrypt(np.array([plain]), tweak).tolist() == [cryptic]
    assert cipher.decrypt(np.array([cryptic]), tweak).tolist() == [plain]


def _as_written(key: bytes, radix: int, tweak: bytes, numerals: list[int]) -> list[int]:
    """SP 800-38G, algorithm 7, step for step, over Python's integers."""

    def number(digits: list[int]) -> int:
        value = 0
        for digit in digits:
            value = value * radix + digit
        return value

    def aes(block: bytes) -> bytes:
        return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)

    def mixed(one: bytes, other: bytes) -> bytes:
        return bytes(a ^ b for a, b in zip(one, other, strict=True))

    n = len(numerals)
    u = n // 2
    v = n - u
    left, right = numerals[:u], numerals[u:]
    b = ((radix**v - 1).bit_length() + 7) // 8
    d = 4 * ((b + 3) // 4) + 4
    p = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([10, u % 256]) + n.to_bytes(4, "big")
    p += len(tweak).to_bytes(4, "big")
    for i in range(10):
        q = tweak + bytes((-len(tweak) - b - 1) % 16) + bytes([i]) + number(right).to_bytes(b, "big")
        r = bytes(16)
        for start in range(0, len(p + q), 16):
            r = aes(mixed(r, (p + q)[start : start + 16]))
        s = r + b"".join(aes(mixed(r, j.to_bytes(16, "big"))) for j in range(1, (d + 15) // 16))
        m = u if i % 2 == 0 else v
        c = (number(left) + int.from_bytes(s[:d], "big")) % radix**m
        digits = []
        for _ in range(m):
            c, digit = divmod(c, radix)
            digits.append(digit)
        left, right = right, digits[::-1]
    return left + right


@st.composite
def _cases(draw: st.DrawFn) -> tuple[bytes, int, bytes, list[list[int]]]:
    radix = draw(
        st.one_of(st.sampled_from([2, 3, 10, 36, 62, 255, 256, 257, 46341, 65535, 65536]), st.integers(2, 65536))
    )
    shortest = next(length for length in range(2, 21) if radix**length >= 1_000_000)
    length = draw(st.one_of(st.integers(shortest, 24), st.sampled_from([57, 120])))
    extremes = st.sampled_from([0, radix - 1])
    row = st.lists(st.one_of(extremes, st.integers(0, radix - 1)), min_size=length, max_size=length)
    rows = draw(st.lists(row, min_size=1, max_size=3))
    return draw(st.binary(min_size=32, max_size=32)), radix, draw(st.binary(max_size=40)), rows


@settings(deadline=None, max_examples=60)
@given(_cases())
def test_whole_columns_give_what_the_standard_writes_for_each_value(
    case: tuple[bytes, int, bytes, list[list[int]]],
) -> None:
    key, radix, tweak, rows = case
    cipher = FF1(key, radix)
    encrypted = cipher.encrypt(np.array(rows), tweak)
    assert encrypted.tolist() == [_as_written(key, radix, tweak, row) for row in rows]
    assert cipher.decrypt(encrypted, tweak).tolist() == rows


def test_a_column_longer_than_what_is_worked_on_at_once_keeps_its_order() -> None:
    cipher = FF1(bytes(32), 10)
    values = np.random.default_rng(7).integers(0, 10, (40_000, 12), dtype=np.uint8)
    encrypted = cipher.encrypt(values, b"t")
    assert encrypted.dtype == np.uint8
    assert (cipher.decrypt(encrypted, b"t") == values).all()
    for row in (0, 16_383, 16_384, 39_999):
        assert (cipher.encrypt(values[row : row + 1], b"t") == encrypted[row]).all()


def test_it_is_a_permutation_of_its_domain() -> None:
    every = np.array([[int(digit) for digit in f"{number:06d}"] for number in range(1_000_000)], dtype=np.uint8)
    numbers = FF1(bytes(range(32)), 10).encrypt(every, b"") @ 10 ** np.arange(5, -1, -1)
    assert len(np.unique(numbers)) == 1_000_000
    assert not (numbers == np.arange(1_000_000)).sum() > 20


def test_another_key_or_tweak_gives_other_numerals() -> None:
    values = np.zeros((1, 12), dtype=np.int64)
    results = {
        tuple(FF1(key, 10).encrypt(values, tweak)[0].tolist())
        for key in (bytes(32), b"\1" + bytes(31), bytes(16))
        for tweak in (b"", b"\0", b"loans:account", b"loans:phone")
    }
    assert len(results) == 12


def test_the_type_grows_where_the_radix_needs_it() -> None:
    values = np.zeros((1, 4), dtype=np.uint8)
    assert FF1(bytes(32), 1000).encrypt(values, b"").dtype == np.uint16
    assert FF1(bytes(32), 1000).encrypt(values.astype(np.int64), b"").dtype == np.int64


def test_no_value_is_a_result_too() -> None:
    assert FF1(bytes(32), 10).encrypt(np.empty((0, 12), dtype=np.uint8), b"").shape == (0, 12)


@pytest.mark.parametrize(("radix", "length"), [(10, 5), (2, 19), (999, 2), (36, 3), (31, 4)])
def test_a_domain_below_a_million_is_refused(radix: int, length: int) -> None:
    values = np.zeros((1, length), dtype=np.int64)
    with pytest.raises(SmallDomain, match="another treatment"):
        FF1(bytes(32), radix).encrypt(values, b"")
    FF1(bytes(32), radix, allow_small_domain=True).encrypt(values, b"")


@pytest.mark.parametrize(("radix", "length"), [(10, 6), (2, 20), (1000, 2), (32, 4), (65536, 2)])
def test_a_domain_of_a_million_is_taken(radix: int, length: int) -> None:
    FF1(bytes(32), radix).encrypt(np.zeros((1, length), dtype=np.int64), b"")


@pytest.mark.parametrize(
    "values",
    [
        np.full((1, 12), 10),
        np.full((1, 12), -1),
        np.full((1, 12), 2**64 - 1, dtype=np.uint64),
        np.zeros((1, 12)),
        np.zeros((1, 12), dtype=bool),
        np.zeros(12, dtype=np.int64),
        np.zeros((1, 1), dtype=np.int64),
        np.zeros((1, 0), dtype=np.int64),
    ],
    ids=["too large", "negative", "wraps", "floats", "booleans", "flat", "one numeral", "none"],
)
def test_what_is_no_numeral_is_refused_without_being_told(values: np.ndarray) -> None:
    cipher = FF1(bytes(32), 10, allow_small_domain=True)
    for crypt in (cipher.encrypt, cipher.decrypt):
        with pytest.raises(FormatPreservingError) as refused:
            crypt(values, b"")
        assert "18446744073709551615" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "radix"), [(b"", 10), (bytes(31), 10), (bytes(33), 10), (bytes(32), 1), (bytes(32), 65537)]
)
def test_a_key_or_radix_that_is_none_is_refused(key: bytes, radix: int) -> None:
    with pytest.raises(FormatPreservingError):
        FF1(key, radix)


def test_the_key_is_in_no_repr() -> None:
    key = bytes(range(65, 97))
    assert key.decode() not in repr(vars(FF1(key, 10)))
