import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secure_ml.keys.envelope import fingerprint, seal, unseal
from secure_ml.keys.errors import KeyRefused, KeyServiceError

ROOT = bytes(range(32))
KEY = b"k" * 32
CONTEXT = b"v1/training/loans/version/data/0/financial"
# A golden of version 1: keys wrapped by it must open for ever.
WRAPPED_BY_VERSION_1 = (
    "534d4c5701f3c52b3f74f9643ecbc51fc19ac49ff9c3993ba99a49637b3d9bdf2f2def9fa44cdf4f567ed03733b33907"
    "fb977ad65bbf0bd8a0a222823bda1431114276af25bf46e92ffb68bbb82ef2c3c779260c2b4472a08a6962b39e50bc7d"
    "da5c48cc67866d10c239e1e0b044b8006a"
)


def _hkdf(info: bytes, length: int) -> bytes:
    """RFC 5869 over the standard library, so that the format is written down twice."""
    pseudo_random_key = hmac.digest(b"\0" * 32, ROOT, "sha256")
    output, block = b"", b""
    for counter in range(1, length // 32 + 2):
        block = hmac.digest(pseudo_random_key, block + info + bytes([counter]), "sha256")
        output += block
    return output[:length]


def test_a_key_opens_under_its_root_and_context() -> None:
    assert unseal(ROOT, seal(ROOT, KEY, context=CONTEXT), context=CONTEXT) == KEY


def test_a_key_wrapped_by_version_1_opens() -> None:
    assert unseal(ROOT, bytes.fromhex(WRAPPED_BY_VERSION_1), context=CONTEXT) == KEY


def test_the_bytes_are_those_of_the_format_page() -> None:
    wrapped = seal(ROOT, KEY, context=CONTEXT)
    prefix = b"SMLW\x01" + _hkdf(b"secure_ml wrapping key fingerprint v1", 16)
    assert wrapped[:21] == prefix
    nonce, commitment, ciphertext = wrapped[21:33], wrapped[33:65], wrapped[65:]
    output = _hkdf(b"secure_ml wrapped key v1\x00" + prefix + nonce + CONTEXT, 64)
    assert commitment == output[:32]
    assert AESGCM(output[32:]).decrypt(nonce, ciphertext, prefix + CONTEXT) == KEY


def test_every_flipped_bit_is_refused() -> None:
    wrapped = seal(ROOT, KEY, context=CONTEXT)
    for at in range(len(wrapped)):
        for bit in range(8):
            changed = wrapped[:at] + bytes([wrapped[at] ^ (1 << bit)]) + wrapped[at + 1 :]
            with pytest.raises(KeyRefused):
                unseal(ROOT, changed, context=CONTEXT)


def test_every_truncation_and_extension_is_refused() -> None:
    wrapped = seal(ROOT, KEY, context=CONTEXT)
    for changed in (*(wrapped[:length] for length in range(len(wrapped))), wrapped + b"\0"):
        with pytest.raises(KeyRefused):
            unseal(ROOT, changed, context=CONTEXT)


@pytest.mark.parametrize("context", [b"", CONTEXT[:-1], CONTEXT + b"x", b"other"])
def test_another_context_is_refused(context: bytes) -> None:
    with pytest.raises(KeyRefused):
        unseal(ROOT, seal(ROOT, KEY, context=CONTEXT), context=context)


def test_another_root_key_is_refused_by_name() -> None:
    with pytest.raises(KeyRefused, match="under root key"):
        unseal(b"r" * 32, seal(ROOT, KEY, context=CONTEXT), context=CONTEXT)


def test_a_forged_name_of_the_root_key_does_not_open_it() -> None:
    other = b"r" * 32
    wrapped = seal(ROOT, KEY, context=CONTEXT)
    with pytest.raises(KeyRefused):
        unseal(other, wrapped[:5] + fingerprint(other) + wrapped[21:], context=CONTEXT)


def test_a_ciphertext_made_without_the_commitment_is_refused() -> None:
    # What plain AES-GCM would accept: a valid ciphertext under the one-time key behind a wrong commitment.
    wrapped = seal(ROOT, KEY, context=CONTEXT)
    prefix, nonce = wrapped[:21], wrapped[21:33]
    one_time_key = _hkdf(b"secure_ml wrapped key v1\x00" + prefix + nonce + CONTEXT, 64)[32:]
    forged = prefix + nonce + b"\0" * 32 + AESGCM(one_time_key).encrypt(nonce, KEY, prefix + CONTEXT)
    with pytest.raises(KeyRefused):
        unseal(ROOT, forged, context=CONTEXT)


def test_wrapping_twice_gives_other_bytes_and_shows_no_key() -> None:
    made = {seal(ROOT, KEY, context=CONTEXT) for _ in range(50)}
    assert len(made) == 50
    assert all(KEY[:8] not in wrapped and ROOT[:8] not in wrapped for wrapped in made)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_wrapping_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(KeyServiceError):
        seal(b"r" * length, KEY, context=CONTEXT)


def test_a_fingerprint_is_not_a_plain_hash_of_the_key() -> None:
    assert fingerprint(ROOT) not in (hashlib.sha256(ROOT).digest()[:16], ROOT[:16])
    assert fingerprint(ROOT) != fingerprint(b"r" * 32)
