"""Signed statements of the tree's size and root: C2SP tlog-checkpoint in a C2SP signed note, Ed25519.

Belongs here: the text, its signature line, the port to a signer. Must stay out: private keys and storage.
Sources: https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from secure_ml.audit.errors import CheckpointRefused
from secure_ml.audit.merkle import HASH_BYTES

_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_KEY_NAME = re.compile(r"[^\s+]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class Signer(Protocol):
    """Signs checkpoints; adapters keep the private key."""

    @property
    def name(self) -> str:
        """The key's name: no spaces, no plus."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the Ed25519 public key."""

    def sign_raw(self, message: bytes) -> bytes:
        """The Ed25519 signature over the bare message, as the note format demands."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint states: this log, at this size, has this root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The signed text.

        Raises:
            CheckpointRefused: The origin would break the format, or the root is no hash.
        """
        if not self.origin or "\n" in self.origin or self.size < 0 or len(self.root) != HASH_BYTES:
            raise CheckpointRefused("a checkpoint has an origin of one line, a size from 0 and a root of 32 bytes")
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def key_id(name: str, public_key: bytes) -> bytes:
    """The four bytes by which a signature line names its key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_BYTES]


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """Write the checkpoint as a signed note.

    Raises:
        CheckpointRefused: The origin or the key's name does not fit the format.
    """
    if not _KEY_NAME.fullmatch(signer.name):
        raise CheckpointRefused("a checkpoint key's name has no spaces and no plus sign")
    text = checkpoint.text()
    signature = key_id(signer.name, signer.public_key) + signer.sign_raw(text.encode())
    return f"{text}\n— {signer.name} {base64.b64encode(signature).decode()}\n"


def verify_checkpoint(unverified_note: str, *, origin: str, name: str, public_key: bytes) -> Checkpoint:
    """Return what the note states, if the named key signed it for this log.

    Signature lines of other keys (witnesses) are skipped, as the note format demands.

    Raises:
        CheckpointRefused: The note is malformed, for another log, or bears no valid signature of this key.
    """
    text, separator, signatures = unverified_note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise CheckpointRefused("a checkpoint is a text, an empty line and signature lines")
    text += "\n"
    _require_signature(text, signatures, name=name, public_key=public_key)
    checkpoint = _parse_text(text)
    if checkpoint.origin != origin:
        raise CheckpointRefused(f"the checkpoint is of another log, not of {origin}")
    return checkpoint


def _require_signature(text: str, unverified_lines: str, *, name: str, public_key: bytes) -> None:
    prefix = f"— {name} "
    for line in unverified_lines.splitlines():
        if not line.startswith("— "):
            raise CheckpointRefused("a signature line begins with an em dash and a space")
        if not line.startswith(prefix):
            continue
        decoded = _base64(line.removeprefix(prefix))
        if decoded[:_KEY_ID_BYTES] != key_id(name, public_key):
            continue
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(decoded[_KEY_ID_BYTES:], text.encode())
        except InvalidSignature:
            raise CheckpointRefused(f"the signature of {name} on the checkpoint is wrong") from None
        return
    raise CheckpointRefused(f"the checkpoint bears no signature of {name}")


def _parse_text(text: str) -> Checkpoint:
    origin, *rest = text.removesuffix("\n").split("\n")
    if not origin or len(rest) < 2 or not _SIZE.fullmatch(rest[0]):
        raise CheckpointRefused("a checkpoint's text is origin, size and root, each on a line")
    root = _base64(rest[1])
    if len(root) != HASH_BYTES:
        raise CheckpointRefused("a checkpoint's root has 32 bytes")
    return Checkpoint(origin, int(rest[0]), root)


def _base64(text: str) -> bytes:
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CheckpointRefused("a checkpoint holds base64 that does not decode") from None
    # A second spelling of the same bytes is refused: one checkpoint has one text.
    if base64.b64encode(decoded).decode() != text:
        raise CheckpointRefused("a checkpoint holds base64 that is not canonical")
    return decoded
