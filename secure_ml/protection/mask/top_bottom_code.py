"""top_bottom_code: values beyond the policy's bounds are given as the bound.

The bounds are declared, never read from the data: a bound that is the largest value of the table would tell it.
"""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.treatments import TopBottomCode as TopBottomCodePolicy
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated
from secure_ml.protection.parse import ARROW_TYPES


@dataclass(frozen=True)
class TopBottomCode(ColumnTreatment):
    """Clips; between the bounds its output reveals what its input does. A cell that cannot be read becomes null."""

    reader: ColumnReader
    spec: TopBottomCodePolicy
    beside: ClassVar[tuple[str, ...]] = ()

    @property
    def output_type(self) -> pa.DataType:
        """Arrow type of the declared type."""
        return ARROW_TYPES[self.reader.policy.type]

    def apply(self, column: pa.Array) -> Treated:
        """See the class."""
        parsed = self.reader.parsed(column)
        return Treated(_clipped(parsed.values, self.spec), parsed.unparsed)


def is_top_bottom_coded(values: pa.Array, spec: TopBottomCodePolicy) -> pa.Array:
    """Which cells this treatment can have made; null where null."""
    return pc.equal(_clipped(values, spec), values)


def _clipped(values: pa.Array, spec: TopBottomCodePolicy) -> pa.Array:
    if spec.bottom is not None:
        values = pc.max_element_wise(values, _bound(spec.bottom, values.type), skip_nulls=False)
    if spec.top is not None:
        values = pc.min_element_wise(values, _bound(spec.top, values.type), skip_nulls=False)
    return values


def _bound(bound: object, kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(bound).cast(kind) if isinstance(bound, float) else pa.scalar(bound, kind)
