"""The key service of one machine's one user: the root key is a file.

Belongs here: that file, its making, its versions. Must stay out: other services, and the keys that it wraps. Protects a
copied data folder; not against code that runs as the same user.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from secure_ml.keys.envelope import WRAPPING_KEY_BYTES, fingerprint, seal, sealed_by, unseal
from secure_ml.keys.environment_secret import EnvironmentSecret
from secure_ml.keys.errors import KeyNotFound, KeyRefused, KeyServiceError
from secure_ml.keys.passphrase import Passphrase
from secure_ml.keys.private_file import (
    create_private_file,
    locked_directory,
    make_private_directory,
    read_private_file,
    replace_private_file,
    require_private_directory,
    sync_directory,
)
from secure_ml.keys.root_file import MAXIMUM_BYTES, Lock, Protection, decode, encode, lock_of, new_lock

ROOT_KEY_FILE = "root.key"


@dataclass(frozen=True, repr=False)
class _Opened:
    content: bytes
    lock: Lock
    root_keys: tuple[bytes, ...]
    key_ids: tuple[str, ...]


class LocalFileKeyService:
    """A `KeyService` over `root.key` (0600) in a directory of its own (0700).

    The file is read at each call, so that a version that another process made or retired is known here too.
    """

    def __init__(self, directory: Path, *, protection: Protection | None, lock: Lock | None = None) -> None:
        self._directory = directory
        self._path = directory / ROOT_KEY_FILE
        self._protection = protection
        self._lock = lock
        self._seen: _Opened | None = None

    @classmethod
    def create(cls, directory: Path, *, protection: Protection | None = None) -> "LocalFileKeyService":
        """Make a root key, once, in a directory that holds nothing else yet.

        Args:
            directory: Where; made if it is missing.
            protection: A passphrase or a secret that the file is sealed under; None relies on the file's mode alone.

        Raises:
            KeyServiceError: There is a root key already; or keys were made here and their root key is lost, which a new
                one would hide; or the directory is not private; or the protection is too weak.
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
        lock = new_lock(protection)
        create_private_file(directory / ROOT_KEY_FILE, encode((os.urandom(WRAPPING_KEY_BYTES),), lock))
        service = cls(directory, protection=protection, lock=lock)
        service._read()
        return service

    @classmethod
    def open(cls, directory: Path, *, protection: Protection | None = None) -> "LocalFileKeyService":
        """Open the root key that `create` made.

        Args:
            directory: Where it lies.
            protection: What it was made with; nothing else will do, and least of all an unprotected file.

        Raises:
            KeyNotFound: There is none.
            KeyRefused: The passphrase or secret is another one.
            KeyServiceError: It is damaged, another user's, open to others, or protected otherwise.
        """
        if not cls.exists(directory):
            raise KeyNotFound(f"{directory / ROOT_KEY_FILE}: check that it exists and who may use it")
        service = cls(directory, protection=protection)
        service._read()
        return service

    @classmethod
    def from_uri(cls, uri: str, *, environ: Mapping[str, str], create: bool) -> "LocalFileKeyService":
        """Open the root key in the directory of a `file:` URI (RFC 8089), such as `file:/srv/keys?protect=passphrase`.

        Args:
            uri: With `protect=passphrase`, `protect=environment`, or neither.
            environ: Holds `SECURE_ML_PASSPHRASE_FILE` or `SECURE_ML_ROOT_SECRET` where the URI asks for one.
            create: Make the root key where there is none.

        Raises:
            KeyNotFound: There is none, and none is to be made.
            KeyServiceError: The URI is no such one, or as `create` and `open`.
        """
        directory, protect = _parse_uri(uri)
        protection: Protection | None = None
        if protect == Passphrase.name:
            protection = Passphrase.read(environ)
        elif protect == EnvironmentSecret.name:
            protection = EnvironmentSecret.read(environ)
        if create and not cls.exists(directory):
            return cls.create(directory, protection=protection)
        return cls.open(directory, protection=protection)

    @classmethod
    def exists(cls, directory: Path) -> bool:
        """Whether the directory holds a root key file, good or bad."""
        return os.path.lexists(directory / ROOT_KEY_FILE)

    @property
    def key_id(self) -> str:
        """See `KeyService.key_id`: the newest root key's fingerprint, in hex."""
        return self._read().key_ids[0]

    def wrap(self, plaintext_key: bytes, *, context: bytes) -> bytes:
        """See `KeyService.wrap`."""
        return seal(self._read().root_keys[0], plaintext_key, context=context)

    def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """See `KeyService.unwrap`."""
        opened, key_id = self._read(), self.wrapped_by(wrapped)
        if key_id not in opened.key_ids:
            raise KeyRefused(
                f"the key was wrapped under root key {key_id}, which {self._path} does not hold: it was retired, or "
                "the file is another installation's or an older copy"
            )
        return unseal(opened.root_keys[opened.key_ids.index(key_id)], wrapped, context=context)

    def wrapped_by(self, wrapped: bytes) -> str:
        """See `KeyService.wrapped_by`."""
        return sealed_by(wrapped).hex()

    def rotate(self) -> str:
        """See `KeyService.rotate`; killed meanwhile, it leaves the file before or the one after."""
        with locked_directory(self._directory):
            opened = self._read()
            self._replace((os.urandom(WRAPPING_KEY_BYTES), *opened.root_keys), opened.lock)
            return self.key_id

    def retire(self, key_id: str) -> None:
        """See `KeyService.retire`; a copy of an older file still holds what is retired here."""
        with locked_directory(self._directory):
            opened = self._read()
            if key_id not in opened.key_ids:
                raise KeyNotFound(f"{self._path} holds no root key of this id; it may have been retired before")
            if key_id == opened.key_ids[0]:
                raise KeyServiceError(f"root key {key_id} wraps now; rotate and rewrap before retiring it")
            at = opened.key_ids.index(key_id)
            self._replace(opened.root_keys[:at] + opened.root_keys[at + 1 :], opened.lock)

    def _replace(self, root_keys: tuple[bytes, ...], lock: Lock) -> None:
        replace_private_file(self._path, encode(root_keys, lock))

    def _read(self) -> _Opened:
        require_private_directory(self._directory)
        content = read_private_file(self._path, maximum_bytes=MAXIMUM_BYTES)
        if self._seen is not None and self._seen.content == content:
            return self._seen
        try:
            lock = lock_of(content, self._protection, self._lock)
            root_keys = decode(content, lock)
        except KeyServiceError as error:
            raise type(error)(f"{self._path}: {error}") from None
        # Who was killed while replacing the file may not have made it durable; what it wraps must not outlive it.
        sync_directory(self._directory)
        key_ids = tuple(fingerprint(root_key).hex() for root_key in root_keys)
        self._lock, self._seen = lock, _Opened(content, lock, root_keys, key_ids)
        return self._seen

    def __repr__(self) -> str:
        return f"LocalFileKeyService(key_id={self._seen.key_ids[0] if self._seen else None})"


def _parse_uri(uri: str) -> tuple[Path, str]:
    parts = urlsplit(uri)
    try:
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
        path = unquote(parts.path, errors="strict")
    except ValueError:
        path, options = "", []
    protect = dict(options).get("protect", "")
    known = not options or (len(options) == 1 and protect in (Passphrase.name, EnvironmentSecret.name))
    local = parts.scheme == "file" and parts.netloc in ("", "localhost") and not parts.fragment
    if not local or not known or not path.startswith("/") or "\0" in path:
        raise KeyServiceError(
            "the root key's directory is named as file:/absolute/path, with ?protect=passphrase or "
            "?protect=environment where it is to be protected"
        )
    return Path(path), protect
