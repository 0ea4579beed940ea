"""deterministic_encryption: the whole value encrypted and authenticated, the same for the same value.

Belongs here: the text's format, its making and its undoing. Must stay out: where keys come from, who may undo it.

The text is `ds1_` and base32 characters (RFC 4648, lower-case) of AES-SIV (RFC 5297) with a key of 512 bits that
belongs to one project and entity; project and entity are its associated data. Equal values give equal texts, and
nothing else of a value shows but its length in bytes.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.keys.derivation import derive
from secure_ml.policy.labels import Entity
from secure_ml.protection.mask.base32 import decoded, encoded
from secure_ml.protection.mask.distinct import by_distinct
from secure_ml.protection.mask.siv import opened, sealed
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated, count_unknown

FORMAT_MARK = "ds1_"
"""Says which format a text has."""

_KEY = "secure_ml deterministic encryption 1"
_KEY_BYTES, _SIV_KEY_BYTES = 32, 64
# The vector alone has 128 bits, which is 26 characters.
_PATTERN = rf"^{FORMAT_MARK}[a-z2-7]{{26,}}$"


class EncryptionKeyError(ValueError):
    """A key for this treatment that has not the length of one."""


def encryption_purpose(entity: Entity) -> str:
    """Purpose of the key for an entity's texts."""
    return f"siv:{entity.value}"


@dataclass(frozen=True)
class DeterministicEncryption(ColumnTreatment):
    """Encrypts each value as it is written, without the space around it.

    Attributes:
        reader: how the column is read.
        context: the project and the entity, which are authenticated with each value.
        key: 32 secret bytes.
    """

    reader: ColumnReader
    context: bytes
    key: bytes = field(repr=False)
    output_type: ClassVar[pa.DataType] = pa.string()
    beside: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if len(self.key) != _KEY_BYTES:
            raise EncryptionKeyError(
                f"the key for deterministic_encryption needs {_KEY_BYTES} bytes; check the key service"
            )

    def apply(self, column: pa.Array) -> Treated:
        """A value that has not its entity's shape is encrypted too, and is counted."""
        texts = self.reader.text(column)
        return Treated(by_distinct(texts, self._encrypted), count_unknown(texts, self.reader.known(texts)))

    def invert(self, values: pa.Array) -> pa.Array:
        """The values that were encrypted; null where a cell is null or is not what this key made of a value."""
        key, found = self._siv_key(), []
        for value in values.to_pylist():
            marked = value is not None and value.startswith(FORMAT_MARK)
            sealed_bytes = decoded(value.removeprefix(FORMAT_MARK)) if marked else None
            found.append(None if sealed_bytes is None else opened(key, sealed_bytes, associated=self.context))
        return pa.array([None if one is None else one.decode() for one in found], pa.string())

    def _encrypted(self, texts: pa.Array) -> pa.Array:
        rows, made, every = [], [], np.arange(len(texts))
        for group in sealed(self._siv_key(), texts, associated=self.context):
            rows.append(every[group.rows])
            made.append(encoded(group.bytes, group.lengths, mark=FORMAT_MARK))
        if not made:
            return pa.array([], pa.string())
        texts, places = pa.concat_arrays(made), np.concatenate(rows)
        return texts if (np.diff(places) == 1).all() else texts.take(pa.array(np.argsort(places)))

    def _siv_key(self) -> bytes:
        return derive(self.key, purpose=_KEY, length=_SIV_KEY_BYTES)


def is_encrypted(values: pa.Array) -> pa.Array:
    """Which cells have the form of such a text; null where null."""
    return pc.match_substring_regex(values, _PATTERN)
