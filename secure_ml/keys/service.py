"""The port to whatever holds the root key.

Belongs here: the contract that every key service keeps. Must stay out: adapters, one a file.
"""

from typing import Protocol

from secure_ml.keys.errors import KeyRefused, KeyServiceError

__all__ = ["KeyRefused", "KeyService", "KeyServiceError"]


class KeyService(Protocol):
    """Wraps and unwraps keys under a root key that never leaves it."""

    def wrap(self, plaintext_key: bytes, *, context: bytes) -> bytes:
        """Encrypt a key, bound to a context.

        Args:
            plaintext_key: The key to protect.
            context: Says what the key is for; unwrapping demands the same bytes.

        Raises:
            KeyServiceError: The service is unavailable.
        """

    def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """Return the key that was wrapped for this context.

        Raises:
            KeyRefused: The bytes are not authentic for this root key and context.
            KeyServiceError: The service is unavailable.
        """
