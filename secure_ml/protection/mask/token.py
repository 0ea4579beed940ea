"""token: a keyed pseudonym.

Belongs here: the token's format and its computation. Must stay out: where keys come from.

A token is `tk1_` and 32 base32 characters (RFC 4648, lower-case): the first 160 bits of HMAC-SHA-256 (RFC 2104) under
a key of 256 bits that belongs to one project and entity, over the purpose, a zero byte and the canonical value. An
unkeyed hash of a telephone or Aadhaar number is reversed by trying them all; without the key this one is not. Among
10^12 subjects two tokens meet by chance with a probability below 10^-24.
"""

import hmac
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.labels import Entity
from secure_ml.protection.mask.canonical import canonical
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated, count_unknown

FORMAT_MARK = "tk1_"
"""Says which format a token has."""

SUBJECT_PURPOSE = "token:subject_id"
"""Purpose of the key for the subject column, whatever its entity."""

_KEY_BYTES = 32
_DIGEST_BYTES = 20
_PATTERN = rf"^{FORMAT_MARK}[a-z2-7]{{32}}$"
_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_BIT_WEIGHTS = np.array([16, 8, 4, 2, 1], dtype=np.uint8)


class TokenKeyError(ValueError):
    """A key for tokens that is too short to be one."""


def token_purpose(entity: Entity) -> str:
    """Purpose of the key for an entity's tokens."""
    return f"token:{entity.value}"


@dataclass(frozen=True)
class Token(ColumnTreatment):
    """The same value gives the same token within the project and entity, and nothing in common outside it.

    Attributes:
        reader: how the column is read.
        purpose: what the key was made for; part of what is authenticated.
        key: 32 secret bytes.
    """

    reader: ColumnReader
    purpose: str
    key: bytes = field(repr=False)
    output_type: ClassVar[pa.DataType] = pa.string()
    beside: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if len(self.key) < _KEY_BYTES:
            raise TokenKeyError(f"the key for {self.purpose!r} needs {_KEY_BYTES} bytes; check the key service")

    def apply(self, column: pa.Array) -> Treated:
        """A value that has not its entity's shape gets a token too, and is counted."""
        texts = self.reader.text(column)
        return Treated(self.of(texts), count_unknown(texts, self.reader.known(texts)))

    def of(self, texts: pa.Array) -> pa.Array:
        """Tokens of trimmed strings."""
        distinct = texts.dictionary_encode()
        values = canonical(distinct.dictionary, self.reader.policy.entity).to_pylist()
        return _encoded(self._digests(values)).take(distinct.indices)

    def _digests(self, values: list[str]) -> bytes:
        prefix = self.purpose.encode() + b"\0"
        return b"".join([hmac.digest(self.key, prefix + value.encode(), "sha256")[:_DIGEST_BYTES] for value in values])


def is_token(values: pa.Array) -> pa.Array:
    """Which cells are tokens; null where null."""
    return pc.match_substring_regex(values, _PATTERN)


def _encoded(digests: bytes) -> pa.Array:
    bits = np.unpackbits(np.frombuffer(digests, dtype=np.uint8)).reshape(-1, 5)
    letters = _ALPHABET[bits @ _BIT_WEIGHTS].reshape(-1, _DIGEST_BYTES * 8 // 5)
    mark = np.broadcast_to(np.frombuffer(FORMAT_MARK.encode(), dtype=np.uint8), (len(letters), len(FORMAT_MARK)))
    characters = np.ascontiguousarray(np.hstack([mark, letters]))
    offsets = np.arange(len(letters) + 1, dtype=np.int32) * characters.shape[1]
    return pa.StringArray.from_buffers(len(letters), pa.py_buffer(offsets), pa.py_buffer(characters))
