"""keep: the value as it is, parsed to the declared type."""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated
from secure_ml.protection.parse import ARROW_TYPES


@dataclass(frozen=True)
class Keep(ColumnTreatment):
    """Parses, and does no more: its output reveals what its input does."""

    reader: ColumnReader
    beside: ClassVar[tuple[str, ...]] = ()

    @property
    def output_type(self) -> pa.DataType:
        """Arrow type of the declared type."""
        return ARROW_TYPES[self.reader.policy.type]

    def apply(self, column: pa.Array) -> Treated:
        """Cells that cannot be read become null and are counted."""
        parsed = self.reader.parsed(column)
        return Treated(parsed.values, parsed.unparsed)
