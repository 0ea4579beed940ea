"""token: a keyed pseudonym.

Belongs here: the tokens' formats and their computation. Must stay out: where keys come from.

A token is a mark and base32 characters (RFC 4648, lower-case) of a code over the purpose and the canonical value, under
a key of 256 bits that belongs to one project and entity. An unkeyed hash of a telephone or Aadhaar number is reversed
by trying them all; without the key this one is not.

`tk2_` is AES-CMAC (NIST SP 800-38B), all 128 bits: among 10^12 subjects two tokens meet by chance with a probability
below 10^-14. `tk1_` is HMAC-SHA-256 (RFC 2104), 160 bits: below 10^-24.
"""

import hmac
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.keys.derivation import derive
from secure_ml.policy.labels import Entity
from secure_ml.policy.treatments import Token as TokenPolicy
from secure_ml.protection.mask.base32 import encoded
from secure_ml.protection.mask.blocks import BLOCK
from secure_ml.protection.mask.canonical import canonical
from secure_ml.protection.mask.cmac import Cmac
from secure_ml.protection.mask.distinct import by_distinct
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated, count_unknown

HMAC_MARK, CMAC_MARK = "tk1_", "tk2_"
"""Say which format a token has."""

SUBJECT_PURPOSE = "token:subject_id"
"""Purpose of the key for the subject column, whatever its entity."""

NO_SUBJECT_PURPOSE = "token:other_subject_id"
"""The same for a column of the entity `subject_id` beside a subject of another entity: the two are not joined."""

_KEY_BYTES = 32
_DIGEST_BYTES = 20
_CMAC_KEY = "secure_ml token cmac 2"
_PATTERNS = {"hmac_sha256": rf"{HMAC_MARK}[a-z2-7]{{32}}", "aes_cmac": rf"{CMAC_MARK}[a-z2-7]{{25}}[aeimquy4]"}


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
        spec: which algorithm makes the token.
        purpose: what the key was made for; part of what is authenticated.
        key: 32 secret bytes.
    """

    reader: ColumnReader
    spec: TokenPolicy
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
        return by_distinct(texts, self._tokens)

    def _tokens(self, texts: pa.Array) -> pa.Array:
        values = canonical(texts, self.reader.policy.entity)
        return _hmac_tokens(self, values) if self.spec.algorithm == "hmac_sha256" else _cmac_tokens(self, values)


def is_token(values: pa.Array, spec: TokenPolicy | None = None) -> pa.Array:
    """Which cells are tokens, of that algorithm if one is given; null where null."""
    pattern = "|".join(_PATTERNS.values()) if spec is None else _PATTERNS[spec.algorithm]
    return pc.match_substring_regex(values, f"^(?:{pattern})$")


def _cmac_tokens(token: Token, values: pa.Array) -> pa.Array:
    key = derive(token.key, purpose=_CMAC_KEY)
    prefix = token.purpose.encode()
    # At least one zero, so that no purpose is the beginning of another.
    prefix += bytes(BLOCK - len(prefix) % BLOCK)
    return encoded(Cmac(key).codes(values, prefix=prefix), mark=CMAC_MARK)


def _hmac_tokens(token: Token, values: pa.Array) -> pa.Array:
    prefix = token.purpose.encode() + b"\0"
    digests = b"".join(
        [hmac.digest(token.key, prefix + value.encode(), "sha256")[:_DIGEST_BYTES] for value in values.to_pylist()]
    )
    return encoded(np.frombuffer(digests, np.uint8).reshape(-1, _DIGEST_BYTES), mark=HMAC_MARK)
