"""generalise_date: the year, quarter, month or week of a date, or the age of somebody born on it."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.treatments import GeneraliseDate as GeneraliseDatePolicy
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated

_YEARS = (1, 9999)
_FORMS = {
    "quarter": r"^[0-9]{4}-Q[1-4]$",
    "month": r"^[0-9]{4}-(?:0[1-9]|1[0-2])$",
    "week": r"^[0-9]{4}-W(?:0[1-9]|[1-4][0-9]|5[0-3])$",
}
_MONTH = 100  # a month and a day as one number: 29 February is 229


@dataclass(frozen=True)
class GeneraliseDate(ColumnTreatment):
    """Gives a year or an age as an integer, or a period as text; see the policy's `GeneraliseDate` for their forms.

    A cell that is no date becomes null and is counted, and so does one that lies after the day of which the age is
    asked. Who is born on 29 February completes a year on 1 March where there is no such day.
    """

    reader: ColumnReader
    spec: GeneraliseDatePolicy
    beside: ClassVar[tuple[str, ...]] = ()

    @property
    def output_type(self) -> pa.DataType:
        """Integer for a year or an age, string for a period."""
        return pa.int64() if self.spec.to in {"year", "age"} else pa.string()

    def apply(self, column: pa.Array) -> Treated:
        """See the class."""
        parsed = self.reader.parsed(column)
        years = pc.year(parsed.values)
        inside = pc.and_(pc.greater_equal(years, _YEARS[0]), pc.less_equal(years, _YEARS[1]))
        values = self._generalised(pc.if_else(inside, parsed.values, None))
        return Treated(values, parsed.unparsed + values.null_count - parsed.values.null_count)

    def _generalised(self, dates: pa.Array) -> pa.Array:
        match self.spec.to:
            case "year":
                return pc.year(dates)
            case "month":
                return pc.utf8_slice_codeunits(dates.cast(pa.string()), 0, 7)
            case "quarter":
                return _period(pc.year(dates), "Q", pc.quarter(dates), width=1)
            case "week":
                week = pc.iso_calendar(dates)
                return _period(pc.struct_field(week, "iso_year"), "W", pc.struct_field(week, "iso_week"), width=2)
            case "age":
                ages = completed_years(dates, at=self.spec.at or date.max, oldest=self.spec.oldest)
                # Whole numbers are divided without a remainder, so that an age falls to the first of its band.
                return pc.multiply(pc.divide(ages, self.spec.step), self.spec.step)


def is_generalised_date(values: pa.Array, spec: GeneraliseDatePolicy) -> pa.Array:
    """Which cells this treatment can have made; null where null."""
    if spec.to in _FORMS:
        return pc.match_substring_regex(values, _FORMS[spec.to])
    low, high = _YEARS if spec.to == "year" else (0, spec.oldest)
    inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
    return pc.and_(inside, pc.equal(pc.multiply(pc.divide(values, spec.step), spec.step), values))


def completed_years(births: pa.Array, *, at: date, oldest: int) -> pa.Array:
    """Completed years on the day `at`; null for who was not born by then."""
    day_of_year = pc.add(pc.multiply(pc.month(births), _MONTH), pc.day(births))
    before_birthday = pc.greater(day_of_year, at.month * _MONTH + at.day)
    years = pc.subtract(pc.subtract(at.year, pc.year(births)), before_birthday.cast(pa.int64()))
    capped = pc.min_element_wise(years, pa.scalar(oldest, pa.int64()), skip_nulls=False)
    return pc.if_else(pc.greater_equal(years, 0), capped, None)


def _period(years: pa.Array, mark: str, numbers: pa.Array, *, width: int) -> pa.Array:
    texts = (pc.utf8_lpad(part.cast(pa.string()), width=w, padding="0") for part, w in ((years, 4), (numbers, width)))
    return pc.binary_join_element_wise(*texts, f"-{mark}")
