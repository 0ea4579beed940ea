"""The bytes of a wrapped key: authenticated, committing, bound to a context, versioned.

Belongs here: the format of docs/formats/wrapped-key.md. Must stay out: where keys are kept.

AES-256-GCM alone does not commit to its key: one ciphertext can be made that opens under two keys. The cure is UtC of
Bellare and Hoang, "Efficient Schemes for Committing Authenticated Encryption" (EUROCRYPT 2022): a committing
pseudo-random function gives, for key and nonce, a commitment and a one-time encryption key; the commitment precedes the
ciphertext and is compared first. Here that function is HKDF-SHA-256 with header, nonce and context in its info, so the
commitment covers them too.
"""

import hmac
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secure_ml.keys.derivation import hkdf_sha256
from secure_ml.keys.errors import KeyRefused, KeyServiceError

WRAPPING_KEY_BYTES = 32
FINGERPRINT_BYTES = 16

_MAGIC = b"SMLW"
_VERSION = 1
_PREFIX = struct.Struct(f">4sB{FINGERPRINT_BYTES}s")
_NONCE_BYTES = 12
_COMMITMENT_BYTES = 32
_TAG_BYTES = 16
_HEADER_BYTES = _PREFIX.size + _NONCE_BYTES + _COMMITMENT_BYTES


def fingerprint(wrapping_key: bytes) -> bytes:
    """Name a wrapping key by 16 bytes that do not reveal it.

    Raises:
        KeyServiceError: The key is not 32 bytes long.
    """
    if len(wrapping_key) != WRAPPING_KEY_BYTES:
        raise KeyServiceError(f"a wrapping key has {WRAPPING_KEY_BYTES} bytes, not {len(wrapping_key)}")
    return hkdf_sha256(wrapping_key, salt=None, info=b"secure_ml wrapping key fingerprint v1", length=FINGERPRINT_BYTES)


def seal(wrapping_key: bytes, plaintext_key: bytes, *, context: bytes) -> bytes:
    """Wrap a key under another.

    Args:
        wrapping_key: 32 uniformly random bytes.
        plaintext_key: The key to protect.
        context: What the key is for; unsealing demands the same bytes.

    Raises:
        KeyServiceError: The wrapping key has the wrong length.
    """
    prefix = _PREFIX.pack(_MAGIC, _VERSION, fingerprint(wrapping_key))
    nonce = os.urandom(_NONCE_BYTES)
    commitment, one_time_key = _commit(wrapping_key, prefix + nonce, context)
    ciphertext = AESGCM(one_time_key).encrypt(nonce, plaintext_key, prefix + context)
    return prefix + nonce + commitment + ciphertext


def sealed_by(unverified_wrapped: bytes) -> bytes:
    """The fingerprint of the wrapping key that these bytes name: what is claimed, not what is proven.

    Raises:
        KeyRefused: The bytes are not a wrapped key.
    """
    if len(unverified_wrapped) < _HEADER_BYTES + _TAG_BYTES:
        raise KeyRefused("the wrapped key is truncated")
    magic, version, named = _PREFIX.unpack_from(unverified_wrapped)
    if magic != _MAGIC or version != _VERSION:
        raise KeyRefused(
            f"the bytes are not a wrapped key of version {_VERSION}; a newer secure_ml may have written them"
        )
    return bytes(named)


def unseal(wrapping_key: bytes, unverified_wrapped: bytes, *, context: bytes) -> bytes:
    """Return the key that `seal` wrapped under this key for this context.

    Raises:
        KeyRefused: The bytes are not that.
        KeyServiceError: The wrapping key has the wrong length.
    """
    expected, named = fingerprint(wrapping_key), sealed_by(unverified_wrapped)
    prefix = unverified_wrapped[: _PREFIX.size]
    if not hmac.compare_digest(named, expected):
        raise KeyRefused(f"the key was wrapped under root key {named.hex()}, not under {expected.hex()}")
    nonce = unverified_wrapped[_PREFIX.size : _PREFIX.size + _NONCE_BYTES]
    commitment, one_time_key = _commit(wrapping_key, prefix + nonce, context)
    if not hmac.compare_digest(commitment, unverified_wrapped[_PREFIX.size + _NONCE_BYTES : _HEADER_BYTES]):
        raise KeyRefused("the wrapped key was altered, or wrapped for another context")
    try:
        return AESGCM(one_time_key).decrypt(nonce, unverified_wrapped[_HEADER_BYTES:], prefix + context)
    except InvalidTag:
        raise KeyRefused("the wrapped key was altered") from None


def _commit(wrapping_key: bytes, header: bytes, context: bytes) -> tuple[bytes, bytes]:
    # The header has a fixed length, so header and context cannot be split in two ways.
    info = b"secure_ml wrapped key v1\x00" + header + context
    output = hkdf_sha256(wrapping_key, salt=None, info=info, length=_COMMITMENT_BYTES + WRAPPING_KEY_BYTES)
    return output[:_COMMITMENT_BYTES], output[_COMMITMENT_BYTES:]
