"""Keys from keys: HKDF-SHA-256 (RFC 5869).

Belongs here: the one way to derive. Must stay out: passwords, which need a slow function.
"""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from secure_ml.keys.errors import KeyServiceError

_MINIMUM_SECRET_BYTES = 16
_MAXIMUM_LENGTH = 255 * 32


def derive(secret: bytes, *, purpose: str, length: int = 32) -> bytes:
    """Derive a key for one purpose; keys of different purposes say nothing about each other or the secret.

    Args:
        secret: A uniformly random secret, at least 16 bytes.
        purpose: Names the use, the more exactly the better; it is HKDF's info.
        length: Bytes wanted, 1 to 8160.

    Raises:
        KeyServiceError: The secret is too short, the purpose empty or the length out of range.
    """
    if len(secret) < _MINIMUM_SECRET_BYTES:
        raise KeyServiceError(f"a secret to derive from has at least {_MINIMUM_SECRET_BYTES} bytes")
    if not purpose:
        raise KeyServiceError("a derived key names its purpose")
    if not 0 < length <= _MAXIMUM_LENGTH:
        raise KeyServiceError(f"HKDF-SHA-256 gives 1 to {_MAXIMUM_LENGTH} bytes")
    return hkdf_sha256(secret, salt=None, info=purpose.encode(), length=length)


def hkdf_sha256(secret: bytes, *, salt: bytes | None, info: bytes, length: int) -> bytes:
    """HKDF-SHA-256 as RFC 5869 states it; callers that only need a purpose use `derive`."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)
