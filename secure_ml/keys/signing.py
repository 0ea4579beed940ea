"""Signatures over statements: Ed25519 (RFC 8032) with domain separation.

Belongs here: signing keys and their public halves. Must stay out: what is signed.
"""

import base64
import binascii
import hashlib
import re
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from secure_ml.keys.errors import KeyServiceError, SignatureRefused

_DOMAIN = b"secure_ml signature v1\x00"
_SEED_BYTES = 32
# What a C2SP signed note allows as a key's name.
_NAME = re.compile(r"[A-Za-z0-9._/\-]{1,200}")
_KIND = re.compile(r"[a-z][a-z0-9_.\-]{0,63}")
_ED25519 = b"\x01"


@dataclass(frozen=True)
class VerificationKey:
    """The public half: a name and 32 bytes."""

    name: str
    public_key: bytes

    def verify(self, message: bytes, signature: bytes, *, kind: str) -> None:
        """Accept the signature of a statement of this kind.

        Raises:
            SignatureRefused: It is another key's, over other bytes, or over another kind of statement.
        """
        self._verify(_separated(kind, message), signature)

    def verify_raw(self, message: bytes, signature: bytes) -> None:
        """Accept the signature over bare bytes, made by `SigningKey.sign_raw`.

        Raises:
            SignatureRefused: It is not.
        """
        _require_bare(message)
        self._verify(message, signature)

    def encode(self) -> str:
        """The key as a C2SP verifier key, to be published: `name+hash+base64`."""
        hashed = hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).hexdigest()[:8]
        return f"{self.name}+{hashed}+{base64.b64encode(_ED25519 + self.public_key).decode()}"

    @classmethod
    def parse(cls, encoded: str) -> "VerificationKey":
        """Read what `encode` wrote.

        Raises:
            KeyServiceError: It is not an Ed25519 verifier key, or its hash does not fit.
        """
        try:
            name, _, encoded_key = encoded.split("+", 2)
            typed_key = base64.b64decode(encoded_key, validate=True)
        except (ValueError, binascii.Error):
            raise KeyServiceError("a verifier key is name+hash+base64") from None
        key = cls(name, typed_key[1:])
        if len(typed_key) != 33 or typed_key[:1] != _ED25519 or key.encode() != encoded:
            raise KeyServiceError("the verifier key is not of Ed25519, or its hash does not fit")
        return key

    def _verify(self, message: bytes, signature: bytes) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise SignatureRefused(f"the signature is not {self.name}'s over this statement") from None


class SigningKey:
    """A private key, held in memory; the key store keeps its seed.

    Args:
        name: Stands in signatures: letters, digits and `._/-`.
        private_key: The key.

    Raises:
        KeyServiceError: The name breaks a signed note.
    """

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        if not _NAME.fullmatch(name):
            raise KeyServiceError("a signing key's name is letters, digits, dots, dashes, underscores and slashes")
        self._name = name
        self._private_key = private_key

    @classmethod
    def from_seed(cls, seed: bytes, *, name: str) -> "SigningKey":
        """The key of a seed: 32 uniformly random bytes (RFC 8032, 5.1.5).

        Raises:
            KeyServiceError: The seed has another length, or the name breaks a signed note.
        """
        if len(seed) != _SEED_BYTES:
            raise KeyServiceError(f"the seed of a signing key has {_SEED_BYTES} bytes")
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def name(self) -> str:
        """The key's name."""
        return self._name

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._private_key.public_key().public_bytes_raw()

    @property
    def verification_key(self) -> VerificationKey:
        """The public half."""
        return VerificationKey(self._name, self.public_key)

    def sign(self, message: bytes, *, kind: str) -> bytes:
        """Sign a statement of a kind; it verifies as no other kind.

        Args:
            message: The statement's canonical bytes.
            kind: What it states, such as `manifest` or `verdict`.

        Raises:
            KeyServiceError: The kind is not lower-case letters, digits, dots, dashes and underscores.
        """
        return self._private_key.sign(_separated(kind, message))

    def sign_raw(self, message: bytes) -> bytes:
        """Sign bare bytes, for formats that demand it (checkpoints); never what would pass as a statement of a kind.

        Raises:
            SignatureRefused: The bytes begin as a separated statement does.
        """
        _require_bare(message)
        return self._private_key.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey(name={self._name!r})"


def _separated(kind: str, message: bytes) -> bytes:
    if not _KIND.fullmatch(kind):
        raise KeyServiceError("a statement's kind is lower-case letters, digits, dots, dashes and underscores")
    return _DOMAIN + struct.pack(">I", len(kind)) + kind.encode() + message


def _require_bare(message: bytes) -> None:
    if message.startswith(_DOMAIN):
        raise SignatureRefused("a separated statement is not signed or verified as bare bytes")
