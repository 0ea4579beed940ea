"""redact: only the presence of a value is left."""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.protection.mask.treatment import REDACTED, ColumnReader, ColumnTreatment, Treated, count_unknown


@dataclass(frozen=True)
class Redact(ColumnTreatment):
    """Every present value becomes the same word."""

    reader: ColumnReader
    output_type: ClassVar[pa.DataType] = pa.string()
    beside: ClassVar[tuple[str, ...]] = ()

    def apply(self, column: pa.Array) -> Treated:
        """See the class."""
        texts = self.reader.text(column)
        values = pc.if_else(pc.is_valid(texts), REDACTED, pa.scalar(None, pa.string()))
        return Treated(values, count_unknown(texts, self.reader.known(texts)))


def is_redacted(values: pa.Array) -> pa.Array:
    """Which cells this treatment can have made; null where null."""
    return pc.equal(values, REDACTED)
