"""The bytes of `root.key`: the versions of a root key, newest first, protected or not.

Belongs here: the format of docs/formats/root-key.md. Must stay out: the disk, and what a root key wraps.
"""

import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from secure_ml.keys.envelope import WRAPPING_KEY_BYTES, seal, unseal
from secure_ml.keys.errors import KeyRefused, KeyServiceError

MAXIMUM_ROOT_KEYS = 64
MAXIMUM_BYTES = 4096

_MAGIC_1 = b"SMLR\x01"
_MAGIC = b"SMLR\x02"
_PARAMETER_BYTES = 19
_HEADER = struct.Struct(f">5sB{_PARAMETER_BYTES}s")
_CHECKSUM_BYTES = 8
_NAMES = {0: "none", 1: "passphrase", 2: "environment"}


class Protection(Protocol):
    """What the root keys are sealed under in their file."""

    @property
    def name(self) -> str:
        """Of its kind: `passphrase` or `environment`."""

    def new_parameters(self) -> bytes:
        """19 bytes for a file to be made, a fresh salt among them; not secret.

        Raises:
            KeyServiceError: It is too weak to protect anything.
        """

    def key(self, unverified_parameters: bytes) -> bytes:
        """The sealing key of 32 bytes that belongs to a file's parameters.

        Raises:
            KeyServiceError: The parameters are out of bounds.
        """


@dataclass(frozen=True)
class Lock:
    """What opens and closes one root key file.

    Attributes:
        header: The first 25 bytes of the file.
        key: Seals its root keys; None where they lie bare.
    """

    header: bytes
    key: bytes | None = field(repr=False)


def new_lock(protection: Protection | None) -> Lock:
    """The lock of a file to be made; None leaves the root keys bare.

    Raises:
        KeyServiceError: The protection is too weak.
    """
    if protection is None:
        return Lock(_header(0, bytes(_PARAMETER_BYTES)), None)
    parameters = protection.new_parameters()
    return Lock(_header(_code(protection), parameters), protection.key(parameters))


def lock_of(unverified_content: bytes, protection: Protection | None, known: Lock | None = None) -> Lock:
    """The lock of a file that was read.

    Args:
        unverified_content: The file.
        protection: The one that it must have. A bare file does not pass for a protected one: whoever can write it
            would choose the root key.
        known: The lock of an earlier content; spares the slow derivation while the header is the same.

    Raises:
        KeyServiceError: The file is damaged, of an unknown version, or protected otherwise.
    """
    header = _parse(unverified_content).header
    if known is not None and known.header == header:
        return known
    _, code, parameters = _HEADER.unpack(header)
    wanted = 0 if protection is None else _code(protection)
    if code != wanted:
        raise KeyServiceError(
            f"the root key's protection is {_NAMES.get(code, 'unknown')}, and {_NAMES[wanted]} was asked for; ask for "
            "what it was made with"
        )
    return Lock(header, None if protection is None else protection.key(parameters))


def encode(root_keys: Sequence[bytes], lock: Lock) -> bytes:
    """The file of these root keys, newest first.

    Raises:
        KeyServiceError: There are too many.
    """
    if len(root_keys) > MAXIMUM_ROOT_KEYS:
        raise KeyServiceError(f"a root key has at most {MAXIMUM_ROOT_KEYS} versions; rewrap, and retire the oldest")
    body = b"".join(root_keys)
    content = lock.header + (body if lock.key is None else seal(lock.key, body, context=lock.header))
    return content + _checksum(content)


def decode(unverified_content: bytes, lock: Lock) -> tuple[bytes, ...]:
    """The root keys of a file, newest first.

    Raises:
        KeyRefused: The protection is not the file's.
        KeyServiceError: The file is damaged, or of an unknown version.
    """
    body = _parse(unverified_content).body
    if lock.key is not None:
        try:
            body = unseal(lock.key, body, context=lock.header)
        except KeyRefused:
            # What the envelope says would name a fingerprint of the key: something to try guesses on.
            raise KeyRefused("the root key does not open: another passphrase or secret protects it") from None
    count, rest = divmod(len(body), WRAPPING_KEY_BYTES)
    if rest or not 0 < count <= MAXIMUM_ROOT_KEYS:
        raise _damaged()
    return tuple(body[at : at + WRAPPING_KEY_BYTES] for at in range(0, len(body), WRAPPING_KEY_BYTES))


class _Parts(NamedTuple):
    header: bytes
    body: bytes


def _parse(unverified_content: bytes) -> _Parts:
    content, checksum = unverified_content[:-_CHECKSUM_BYTES], unverified_content[-_CHECKSUM_BYTES:]
    if not hmac.compare_digest(checksum, _checksum(content)):
        raise _damaged()
    if content.startswith(_MAGIC_1):
        # One bare root key; written anew, it takes the newest form.
        body = content[len(_MAGIC_1) :]
        if len(body) != WRAPPING_KEY_BYTES:
            raise _damaged()
        return _Parts(_header(0, bytes(_PARAMETER_BYTES)), body)
    if not content.startswith(_MAGIC) or len(content) < _HEADER.size:
        raise KeyServiceError("the file is no root key file of version 1 or 2; a newer secure_ml may have written it")
    return _Parts(content[: _HEADER.size], content[_HEADER.size :])


def _header(code: int, parameters: bytes) -> bytes:
    return _HEADER.pack(_MAGIC, code, parameters)


def _code(protection: Protection) -> int:
    return next(code for code, name in _NAMES.items() if name == protection.name)


def _checksum(content: bytes) -> bytes:
    # Against a damaged disk, not an attacker; over 256 random bits, or over ciphertext, it reveals nothing.
    return hashlib.sha256(content).digest()[:_CHECKSUM_BYTES]


def _damaged() -> KeyServiceError:
    return KeyServiceError("the file is damaged or no root key file; restore it from a backup")
