"""The key service of one machine's one user: the root key is a file.

Belongs here: that file. Must stay out: other services, and the keys that it wraps. Protects a copied data folder;
not against code that runs as the same user.
"""

import hashlib
import hmac
import os
from pathlib import Path

from secure_ml.keys.envelope import WRAPPING_KEY_BYTES, fingerprint, seal, unseal
from secure_ml.keys.errors import KeyServiceError
from secure_ml.keys.private_file import (
    create_private_file,
    make_private_directory,
    read_private_file,
    require_private_directory,
)

ROOT_KEY_FILE = "root.key"

_MAGIC = b"SMLR\x01"
_CHECKSUM_BYTES = 8
_FILE_BYTES = len(_MAGIC) + WRAPPING_KEY_BYTES + _CHECKSUM_BYTES


class LocalFileKeyService:
    """A `KeyService` over `root.key` (0600) in a directory of its own (0700)."""

    def __init__(self, root_key: bytes) -> None:
        self._root_key = root_key
        self._key_id = fingerprint(root_key).hex()

    @classmethod
    def create(cls, directory: Path) -> "LocalFileKeyService":
        """Make a root key, once, in a directory that holds nothing else yet.

        Raises:
            KeyServiceError: There is a root key already; or keys were made here and their root key is lost, which a new
                one would hide; or the directory is not private.
        """
        make_private_directory(directory)
        others = sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
        if ROOT_KEY_FILE in others:
            raise KeyServiceError(f"{directory / ROOT_KEY_FILE} exists already; open it instead of creating it")
        if others:
            raise KeyServiceError(
                f"{directory} holds {', '.join(others)} but no {ROOT_KEY_FILE}; restore the root key from a backup, "
                "or name an empty directory for a new installation"
            )
        root_key = os.urandom(WRAPPING_KEY_BYTES)
        create_private_file(directory / ROOT_KEY_FILE, _MAGIC + root_key + _checksum(root_key))
        return cls(root_key)

    @classmethod
    def open(cls, directory: Path) -> "LocalFileKeyService":
        """Open the root key that `create` made.

        Raises:
            KeyServiceError: It is missing, damaged, another user's, or open to others.
        """
        require_private_directory(directory)
        path = directory / ROOT_KEY_FILE
        content = read_private_file(path, maximum_bytes=_FILE_BYTES)
        root_key = content[len(_MAGIC) : len(_MAGIC) + WRAPPING_KEY_BYTES]
        whole = len(content) == _FILE_BYTES and content.startswith(_MAGIC)
        if not whole or not hmac.compare_digest(content[-_CHECKSUM_BYTES:], _checksum(root_key)):
            raise KeyServiceError(f"{path} is damaged or not a root key file; restore it from a backup")
        return cls(root_key)

    @classmethod
    def exists(cls, directory: Path) -> bool:
        """Whether the directory holds a root key file, good or bad."""
        return os.path.lexists(directory / ROOT_KEY_FILE)

    @property
    def key_id(self) -> str:
        """The root key's fingerprint, in hex; not secret."""
        return self._key_id

    def wrap(self, plaintext_key: bytes, *, context: bytes) -> bytes:
        """See `KeyService.wrap`."""
        return seal(self._root_key, plaintext_key, context=context)

    def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """See `KeyService.unwrap`."""
        return unseal(self._root_key, wrapped, context=context)

    def __repr__(self) -> str:
        return f"LocalFileKeyService(key_id={self._key_id})"


def _checksum(root_key: bytes) -> bytes:
    # Against a damaged disk, not an attacker; keyed by the key's own bytes it reveals nothing of 256 random bits.
    return hashlib.sha256(_MAGIC + root_key).digest()[:_CHECKSUM_BYTES]
