"""generalise_date: the year, or the year and month, of a date."""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.treatments import GeneraliseDate as GeneraliseDatePolicy
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated

_YEARS = (1, 9999)


@dataclass(frozen=True)
class GeneraliseDate(ColumnTreatment):
    """Gives the year as an integer, or "YYYY-MM"; a cell that is no date becomes null and is counted."""

    reader: ColumnReader
    spec: GeneraliseDatePolicy
    beside: ClassVar[tuple[str, ...]] = ()

    @property
    def output_type(self) -> pa.DataType:
        """Integer for a year, string for a month."""
        return pa.int64() if self.spec.to == "year" else pa.string()

    def apply(self, column: pa.Array) -> Treated:
        """See the class."""
        parsed = self.reader.parsed(column)
        years = pc.year(parsed.values)
        inside = pc.and_(pc.greater_equal(years, _YEARS[0]), pc.less_equal(years, _YEARS[1]))
        dates = pc.if_else(inside, parsed.values, None)
        outside = dates.null_count - parsed.values.null_count
        values = pc.year(dates) if self.spec.to == "year" else pc.utf8_slice_codeunits(dates.cast(pa.string()), 0, 7)
        return Treated(values, parsed.unparsed + outside)


def is_generalised_date(values: pa.Array, spec: GeneraliseDatePolicy) -> pa.Array:
    """Which cells this treatment can have made; null where null."""
    if spec.to == "year":
        return pc.and_(pc.greater_equal(values, _YEARS[0]), pc.less_equal(values, _YEARS[1]))
    return pc.match_substring_regex(values, r"^[0-9]{4}-(?:0[1-9]|1[0-2])$")
