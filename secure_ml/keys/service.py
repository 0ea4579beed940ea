"""The port to whatever holds the root key.

Belongs here: the contract that every key service keeps; `secure_ml_tests/keys/contract.py` tests it. Must stay out:
adapters, one a file.
"""

from typing import Protocol

from secure_ml.keys.errors import KeyRefused, KeyServiceError, KeyServiceUnavailable

__all__ = ["KeyRefused", "KeyService", "KeyServiceError", "KeyServiceUnavailable"]


class KeyService(Protocol):
    """Wraps and unwraps keys under a root key that never leaves it, and that has versions.

    One version wraps; all that were not retired unwrap. Several processes use one root key: what one of them rotates or
    retires holds for the others at their next call. Safe to share between threads; each process opens its own.
    """

    @property
    def key_id(self) -> str:
        """Name of the root key's version that wraps now; not secret.

        Raises:
            KeyServiceUnavailable: The service does not answer.
            KeyServiceError: It refuses; the text says what to do.
        """

    def wrap(self, plaintext_key: bytes, *, context: bytes) -> bytes:
        """Encrypt a key, bound to a context.

        Args:
            plaintext_key: The key to protect, 1 to 4096 bytes.
            context: Says what the key is for, up to 1024 bytes; unwrapping demands the same ones. Not secret.

        Raises:
            KeyServiceUnavailable: The service does not answer.
            KeyServiceError: It refuses; the text says what to do.
        """

    def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """Return the key that any living version wrapped for this context.

        Raises:
            KeyRefused: The bytes are not authentic for this root key and context.
            KeyDestroyed: The version that wrapped them was retired, where the service knows that.
            KeyServiceUnavailable: The service does not answer.
            KeyServiceError: It refuses; the text says what to do.
        """

    def wrapped_by(self, wrapped: bytes) -> str:
        """Name the version that wrapped these bytes, without unwrapping: what is claimed, not what is proven.

        Raises:
            KeyRefused: They are not the bytes of a key that a service of this kind wrapped.
        """

    def rotate(self) -> str:
        """Make a new version, wrap with it from now on, and return its key id; the others still unwrap.

        Raises:
            KeyServiceUnavailable: The service does not answer; whether it rotated, `key_id` says later.
            KeyServiceError: It refuses; the text says what to do.
        """

    def retire(self, key_id: str) -> None:
        """Destroy an older version: what is still wrapped by it cannot be unwrapped again.

        Where the service cannot destroy at once, or not one version alone, its page says what it does.

        Raises:
            KeyNotFound: No living version has this id; it may have been retired before.
            KeyServiceUnavailable: The service does not answer.
            KeyServiceError: It is the version that wraps now, or the service refuses; nothing was destroyed.
        """
