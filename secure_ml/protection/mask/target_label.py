"""The outcome: any two-class column as true and false."""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnType
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated
from secure_ml.protection.parse import parse_text


@dataclass(frozen=True)
class Outcome(ColumnTreatment):
    """True where the cell is the positive value, false where it is another one.

    A column declared as a number, boolean or date is compared as such ("1.0" is 1), and a cell that cannot be read so
    is unknown, not negative: a broken outcome must not teach the model a refusal.
    """

    reader: ColumnReader
    positive: str
    output_type: ClassVar[pa.DataType] = pa.bool_()
    beside: ClassVar[tuple[str, ...]] = ()

    def apply(self, column: pa.Array) -> Treated:
        """Missing cells stay null."""
        texts = self.reader.text(column)
        declared = self.reader.policy.type
        positive = parse_text(pa.array([self.positive.strip()]), declared)[0]
        if declared is ColumnType.STRING or not positive.is_valid:
            return Treated(pc.equal(texts, self.positive.strip()), 0)
        parsed = self.reader.parsed(column)
        return Treated(pc.equal(parsed.values, positive), parsed.unparsed)
