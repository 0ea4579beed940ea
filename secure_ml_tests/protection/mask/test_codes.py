"""AES-CMAC and AES-SIV of whole columns against published cases and the library; base32 against the standard's own."""

import base64
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.protection.mask.base32 import decoded, encoded
from secure_ml.protection.mask.blocks import BlockKeyError
from secure_ml.protection.mask.cmac import aes_cmac
from secure_ml.protection.mask.siv import opened, sealed
from secure_ml_tests.vectors.ciphers import cases

_MESSAGE = (
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
_128 = "2b7e151628aed2a6abf7158809cf4f3c"
_192 = "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
_256 = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
SAMPLES = [
    (_128, 0, "bb1d6929e95937287fa37d129b756746"), (_128, 16, "070a16b46b4d4144f79bdd9dd04a287c"),
    (_128, 40, "dfa66747de9ae63030ca32611497c827"), (_128, 64, "51f0bebf7e3b9d92fc49741779363cfe"),
    (_192, 0, "d17ddf46adaacde531cac483de7a9367"), (_192, 16, "9e99a7bf31e710900662f65e617c5184"),
    (_192, 40, "8a1de5be2eb31aad089a82e6ee908b0e"), (_192, 64, "a1d5df0eed790f794d77589659f39a11"),
    (_256, 0, "028962f61b7bf89efc6b551f4667d983"), (_256, 16, "28a7023f452e8f82bd4bf28d8c37c35c"),
    (_256, 40, "aaf3d8f1de5640c232f5b169b9c911e6"), (_256, 64, "e1992190549f6ed5696a2c056c315410"),
]  # fmt: skip
"""Key, bytes of the message, code: NIST SP 800-38B, appendix D; those of 128 bits stand in RFC 4493 too."""

STRINGS = st.lists(
    st.binary(max_size=70) | st.sampled_from([b"", b"a" * 16, b"b" * 32, b"c" * 15, b"d" * 17]), max_size=6
)


def one_code(key: bytes, message: bytes) -> bytes:
    code = CMAC(AES(key))
    code.update(message)
    return code.finalize()


def sealed_list(key: bytes, strings: list[bytes], associated: bytes) -> list[bytes]:
    made = [b""] * len(strings)
    for group in sealed(key, pa.array(strings, pa.binary()), associated=associated):
        rows = range(len(strings))[group.rows] if isinstance(group.rows, slice) else group.rows
        for row, content, length in zip(rows, group.bytes, group.lengths, strict=True):
            made[row] = content.tobytes()[:length]
            assert not any(content[length:])
    return made


@pytest.mark.parametrize(("key", "size", "code"), SAMPLES)
def test_the_samples_of_the_standard(key: str, size: int, code: str) -> None:
    strings = pa.array([bytes.fromhex(_MESSAGE)[:size]] * 2, pa.binary())
    assert [row.tobytes().hex() for row in aes_cmac(bytes.fromhex(key), strings)] == [code] * 2


@pytest.mark.parametrize("case", cases("wycheproof_aes_cmac"), ids=lambda case: str(case["id"]))
def test_published_codes(case: dict[str, Any]) -> None:
    strings = pa.array([bytes.fromhex(case["message"])], pa.binary())
    assert aes_cmac(bytes.fromhex(case["key"]), strings).tobytes().hex() == case["code"]


@settings(max_examples=60, deadline=None)
@given(key=st.sampled_from([16, 24, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n)), strings=STRINGS,
       prefix=st.sampled_from([b"", b"p", b"p" * 16, b"q" * 21, b"r" * 48]), skipped=st.integers(0, 3))  # fmt: skip
def test_codes_are_those_of_the_library(key: bytes, strings: list[bytes], prefix: bytes, skipped: int) -> None:
    codes = aes_cmac(key, pa.array(strings, pa.binary())[skipped:], prefix=prefix)
    assert [code.tobytes() for code in codes] == [one_code(key, prefix + string) for string in strings[skipped:]]


def test_a_column_longer_than_what_is_worked_on_at_once_keeps_its_order() -> None:
    strings = [str(n) * (n % 5) for n in range(40_000)]
    codes = aes_cmac(bytes(32), pa.array(strings), prefix=b"x" * 16)
    for row in (0, 1, 16_383, 16_384, 39_999):
        assert codes[row].tobytes() == one_code(bytes(32), b"x" * 16 + strings[row].encode())


@pytest.mark.parametrize("size", [0, 8, 31, 33])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(BlockKeyError):
        aes_cmac(bytes(size), pa.array(["a"]))
    with pytest.raises(BlockKeyError):
        next(sealed(bytes(size), pa.array(["a"]), associated=b""))


@pytest.mark.parametrize("case", cases("wycheproof_aes_siv"), ids=lambda case: str(case["id"]))
def test_published_encryptions(case: dict[str, Any]) -> None:
    key, associated, message, made = (bytes.fromhex(case[n]) for n in ("key", "associated", "message", "ciphertext"))
    assert sealed_list(key, [message, message], associated) == [made, made]
    assert opened(key, made, associated=associated) == message


@settings(max_examples=60, deadline=None)
@given(key=st.binary(min_size=64, max_size=64), strings=STRINGS, associated=st.binary(max_size=40))
def test_encryptions_are_those_of_the_library(key: bytes, strings: list[bytes], associated: bytes) -> None:
    made = sealed_list(key, strings, associated)
    # The library takes no empty string; the published cases have some.
    assert [m for m, s in zip(made, strings, strict=True) if s] == [
        AESSIV(key).encrypt(string, [associated]) for string in strings if string
    ]
    assert [opened(key, one, associated=associated) for one in made] == strings


@settings(max_examples=60, deadline=None)
@given(string=st.binary(max_size=40), data=st.data())
def test_what_was_changed_anywhere_is_not_opened(string: bytes, data: st.DataObject) -> None:
    key = bytes(range(64))
    (made,) = sealed_list(key, [string], b"loans:pan")
    bit = data.draw(st.integers(0, 8 * len(made) - 1))
    changed = (int.from_bytes(made, "big") ^ 1 << bit).to_bytes(len(made), "big")
    assert opened(key, changed, associated=b"loans:pan") is None
    assert opened(key, made, associated=b"loans:card") is None
    assert opened(key[:-1] + b"\0", made, associated=b"loans:pan") is None or not string
    assert opened(key, made[:15], associated=b"loans:pan") is None


@settings(max_examples=60, deadline=None)
@given(strings=st.lists(st.binary(max_size=33), max_size=5))
def test_base32_is_that_of_the_library_in_lower_case(strings: list[bytes]) -> None:
    width = max(map(len, strings), default=0)
    rows = np.frombuffer(b"".join(s.ljust(width, b"\0") for s in strings), np.uint8).reshape(len(strings), width)
    made = encoded(rows, np.array([len(s) for s in strings], dtype=np.int64), mark="xx1_").to_pylist()
    assert made == ["xx1_" + base64.b32encode(s).decode().rstrip("=").lower() for s in strings]
    assert [decoded(text.removeprefix("xx1_")) for text in made] == strings


def test_many_rows_are_encoded_as_each_alone() -> None:
    rows = np.random.default_rng(7).integers(0, 256, (20_000, 16), dtype=np.uint8)
    made = encoded(rows, mark="xx1_").to_pylist()
    assert made == ["xx1_" + base64.b32encode(row).decode().rstrip("=").lower() for row in rows]


@pytest.mark.parametrize("text", ["a", "ab=", "AA", "a1", "ab cd", "ad", "\u0661\u0661"])
def test_what_base32_does_not_write_is_not_read(text: str) -> None:
    assert decoded(text) is None
