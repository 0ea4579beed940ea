"""What key services have in common that encrypt elsewhere.

Belongs here: the envelope around what the service encrypted, how long to wait for it, and where it may be. Must stay
out: any one service.

The service encrypts a fresh key W, never the key that is wrapped; W wraps that one in an envelope. So the bytes commit
to key and context whatever the service's own cipher does, and a service that answers with another W is found out.
"""

import hmac
import os
import re
import struct
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

from secure_ml.keys.envelope import WRAPPING_KEY_BYTES, seal, unseal
from secure_ml.keys.errors import KeyRefused, KeyServiceError

_MAGIC = b"SMLS"
_VERSION = 1
_PREFIX = struct.Struct(">4sB")
_LENGTH = struct.Struct(">H")


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a call is waited for: at most `attempts` times both time-outs, and the pauses between.

    Attributes:
        connect_seconds: For a connection.
        read_seconds: For each part of an answer.
        attempts: The first and those after a failure that may pass, with exponential back-off and full jitter between.
    """

    connect_seconds: float = 3.0
    read_seconds: float = 10.0
    attempts: int = 4


class RemoteKeyService(ABC):
    """The part of a `KeyService` that is the same wherever W is encrypted."""

    SCHEME: ClassVar[str]
    """What this service's key ids begin with, before a colon."""

    @abstractmethod
    def _encrypt(self, fresh_key: bytes, context: bytes) -> tuple[str, bytes]:
        """Have the service encrypt W, with the context as additional data; returns the key id and the ciphertext."""

    @abstractmethod
    def _decrypt(self, unverified_key_id: str, unverified_ciphertext: bytes, context: bytes) -> bytes:
        """Have the service decrypt W by a version of this root key and no other."""

    def wrap(self, plaintext_key: bytes, *, context: bytes) -> bytes:
        """See `KeyService.wrap`; what cannot be unwrapped at once is not handed out."""
        fresh_key = os.urandom(WRAPPING_KEY_BYTES)
        key_id, ciphertext = self._encrypt(fresh_key, context)
        header = _header(key_id, ciphertext)
        wrapped = header + seal(fresh_key, plaintext_key, context=header + context)
        try:
            opened = self.unwrap(wrapped, context=context)
        except KeyRefused:
            opened = b""
        if not hmac.compare_digest(opened, plaintext_key):
            raise KeyServiceError(
                f"{key_id} does not decrypt what it encrypted a moment ago; nothing was wrapped: check what stands "
                "between here and the service"
            )
        return wrapped

    def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """See `KeyService.unwrap`."""
        key_id, ciphertext, header, sealed = self._split(wrapped)
        fresh_key = self._decrypt(key_id, ciphertext, context)
        if len(fresh_key) != WRAPPING_KEY_BYTES:
            raise KeyRefused(f"{key_id} decrypts to no wrapping key")
        try:
            return unseal(fresh_key, sealed, context=header + context)
        except KeyRefused:
            # The envelope would name W's fingerprint, which says nothing to anybody.
            raise KeyRefused(
                "the wrapped key was altered, or wrapped for another context, or the service decrypted another key"
            ) from None

    def wrapped_by(self, wrapped: bytes) -> str:
        """See `KeyService.wrapped_by`."""
        return self._split(wrapped)[0]

    def _split(self, wrapped: bytes) -> tuple[str, bytes, bytes, bytes]:
        if len(wrapped) < _PREFIX.size or _PREFIX.unpack_from(wrapped) != (_MAGIC, _VERSION):
            raise KeyRefused(
                f"the bytes are not a key wrapped by a remote service, version {_VERSION}; another kind of service or "
                "a newer secure_ml may have written them"
            )
        named, at = _field(wrapped, _PREFIX.size)
        ciphertext, at = _field(wrapped, at)
        try:
            key_id = named.decode("ascii")
        except UnicodeDecodeError:
            raise KeyRefused("the wrapped key was altered") from None
        if not key_id.startswith(f"{self.SCHEME}:"):
            raise KeyRefused(f"the key was not wrapped by a service of {self.SCHEME}:")
        return key_id, ciphertext, wrapped[:at], wrapped[at:]


def read_uri(uri: str, *, scheme: str, allowed: Collection[str]) -> tuple[str, Mapping[str, str]]:
    """Cut a key service's URI, `scheme:name?parameter=value&…`, into its name and parameters.

    Raises:
        KeyServiceError: It is another scheme's, or has no name or a parameter that is not allowed. The text quotes no
            value, since somebody may have put a secret there.
    """
    try:
        parts = urlsplit(uri)
        pairs = parse_qsl(parts.query, strict_parsing=True, keep_blank_values=True) if parts.query else []
    except ValueError:
        raise KeyServiceError(f"the key service's URI is not {scheme}:name?parameter=value") from None
    parameters = dict(pairs)
    if parts.scheme != scheme or parts.netloc or parts.fragment or not parts.path:
        raise KeyServiceError(f"the key service's URI is not {scheme}:name?parameter=value")
    if len(parameters) != len(pairs) or not parameters.keys() <= set(allowed):
        raise KeyServiceError(
            f"a {scheme}: URI may have {', '.join(sorted(allowed))}, each once; secrets come from the environment, "
            "never in the URI"
        )
    return parts.path, parameters


def require_endpoint(url: str, *, named_by: str) -> str:
    """Return the address of a service where what is sent there is sent encrypted, or stays on this machine.

    Args:
        url: The address.
        named_by: Where it was found, for the error.

    Raises:
        KeyServiceError: It is not `https://`, nor `http://` to a loopback address, or holds more than an address.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise KeyServiceError(f"{named_by} is not a URL") from None
    if not host or parts.username is not None or parts.query or parts.fragment or re.search(r"[^!-~]", url):
        raise KeyServiceError(f"{named_by} must be https://host:port and hold no user, password or query")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise KeyServiceError(f"{named_by} must begin with https:// (http:// only for a loopback address)")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    # Not by name: what `localhost` resolves to is for the resolver to say.
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _header(key_id: str, ciphertext: bytes) -> bytes:
    named = key_id.encode("ascii")
    fields = _LENGTH.pack(len(named)) + named + _LENGTH.pack(len(ciphertext)) + ciphertext
    return _PREFIX.pack(_MAGIC, _VERSION) + fields


def _field(wrapped: bytes, at: int) -> tuple[bytes, int]:
    begin = at + _LENGTH.size
    end = begin + int.from_bytes(wrapped[at:begin])
    if begin > len(wrapped) or end > len(wrapped):
        raise KeyRefused("the wrapped key is truncated")
    return wrapped[begin:end], end
