import pytest

from secure_ml.keys.derivation import derive, hkdf_sha256
from secure_ml.keys.errors import KeyServiceError

# RFC 5869, appendix A, the cases of SHA-256: IKM, salt, info, OKM.
RFC_5869 = {
    "A.1": (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    "A.2": (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    "A.3": (
        "0b" * 22,
        "",
        "",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
}


@pytest.mark.parametrize("case", RFC_5869)
def test_hkdf_gives_the_vectors_of_rfc_5869(case: str) -> None:
    secret, salt, info, expected = (bytes.fromhex(part) for part in RFC_5869[case])
    assert hkdf_sha256(secret, salt=salt, info=info, length=len(expected)) == expected


def test_each_purpose_has_a_key_of_its_own_that_repeats() -> None:
    secret = b"s" * 32
    assert derive(secret, purpose="token") == derive(secret, purpose="token")
    assert len({derive(secret, purpose=purpose) for purpose in ("token", "token ", "split")}) == 3
    assert len(derive(secret, purpose="token", length=64)) == 64


@pytest.mark.parametrize(
    ("secret", "purpose", "length"),
    [(b"short", "p", 32), (b"s" * 32, "", 32), (b"s" * 32, "p", 0), (b"s" * 32, "p", 8161)],
)
def test_a_derivation_that_would_be_weak_is_refused(secret: bytes, purpose: str, length: int) -> None:
    with pytest.raises(KeyServiceError):
        derive(secret, purpose=purpose, length=length)
