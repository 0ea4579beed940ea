"""format_preserving: the value encrypted to another one of the same form.

Belongs here: what is done to a column, and its undoing. Must stay out: the cipher, keys, who may undo it.

The letters and digits of a value are encrypted (FF1, AES-256) as one number; all else stands where it stood. An entity
with check digits has them computed anew and then, unless the policy asks for valid ones, shifted, so that what comes
out is nobody's number. docs/formats/format-preserving.md states the construction.
"""

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.labels import Entity
from secure_ml.policy.treatments import FormatPreserving as FormatPreservingPolicy
from secure_ml.protection.mask.canonical import has_shape
from secure_ml.protection.mask.characters import alphabets
from secure_ml.protection.mask.distinct import by_distinct
from secure_ml.protection.mask.form_cipher import FormCipher
from secure_ml.protection.mask.treatment import REDACTED, ColumnReader, ColumnTreatment, Treated, count_unknown

_KEY_BYTES = 32
_ADDRESSES = frozenset({Entity.EMAIL, Entity.UPI_ID, Entity.ABHA_NUMBER})
_WORDS = r"[A-Za-z]{2,}[.,;:]?\s+[A-Za-z]{2,}"


class FormatKeyError(ValueError):
    """A key for this treatment that has not the length of one."""


def format_purpose(entity: Entity) -> str:
    """Purpose of the key for an entity's values."""
    return f"fpe:{entity.value}"


@dataclass(frozen=True)
class FormatPreserving(ColumnTreatment):
    """Encrypts each value within its form; what has not the entity's shape, or no form, is redacted and counted.

    Attributes:
        reader: how the column is read.
        spec: alphabet and check digits.
        context: the project and the entity; the cipher's tweak.
        key: 32 secret bytes.
    """

    reader: ColumnReader
    spec: FormatPreservingPolicy
    context: bytes
    key: bytes = field(repr=False)
    output_type: ClassVar[pa.DataType] = pa.string()
    beside: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if len(self.key) != _KEY_BYTES:
            raise FormatKeyError(f"the key for format_preserving needs {_KEY_BYTES} bytes; check the key service")

    def apply(self, column: pa.Array) -> Treated:
        """See the class."""
        texts = self.reader.text(column)
        made = by_distinct(self._known(texts), partial(self._cipher.crypted, decrypt=False))
        values = pc.if_else(pc.and_(texts.is_valid(), made.is_null()), REDACTED, made)
        return Treated(values, count_unknown(texts, made.is_valid()))

    def invert(self, values: pa.Array) -> pa.Array:
        """The values that were encrypted; null where a cell is null, redacted, or cannot have been made.

        Without check digits nothing tells a cell that another key made: another value of its form comes out.
        """
        cells = pc.if_else(pc.equal(values, REDACTED), None, values)
        found = by_distinct(cells, partial(self._cipher.crypted, decrypt=True))
        return self._known(found)

    def _known(self, texts: pa.Array) -> pa.Array:
        """The texts that are what the policy declares; null for any other."""
        return pc.if_else(self.reader.known(texts), texts, pa.scalar(None, pa.string()))

    @cached_property
    def _cipher(self) -> FormCipher:
        return _cipher(self.spec, self.reader.policy.entity, self.context, self.key)


def is_format_preserved(values: pa.Array, spec: FormatPreservingPolicy, entity: Entity) -> pa.Array:
    """Which cells this treatment can have made, under some key; null where null.

    Check digits tell. An entity without them can have come from any text of a large enough form.
    """
    cipher = _cipher(spec, entity, b"", bytes(_KEY_BYTES))
    made = by_distinct(values, partial(cipher.crypted, decrypt=True)).is_valid()
    return pc.if_else(values.is_valid(), pc.or_(made, pc.fill_null(pc.equal(values, REDACTED), False)), None)


def may_be_ciphertext(values: pa.Array, spec: FormatPreservingPolicy, entity: Entity) -> pa.Array:
    """Which cells are random characters where this treatment made the column; null where null.

    A ciphertext looks like an identifier of one kind or another by chance, and the key decides which. Of an entity
    without a shape, or under an alphabet of the policy's own, any cell can be one. Of the others no cell of several
    words and no address can: what has not the shape is redacted.
    """
    shaped = has_shape(values, entity)
    if shaped is None or spec.alphabet is not None:
        return pc.if_else(pc.is_valid(values), True, None)
    is_text = pc.match_substring_regex(values, _WORDS if entity in _ADDRESSES else rf"@|{_WORDS}")
    return pc.or_(shaped, pc.invert(is_text))


def _cipher(spec: FormatPreservingPolicy, entity: Entity, context: bytes, key: bytes) -> FormCipher:
    return FormCipher(alphabets(spec.alphabet), entity, spec.check_digit, context, key)
