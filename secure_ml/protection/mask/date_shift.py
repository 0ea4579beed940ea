"""date_shift: all dates of a subject moved by the same secret number of days, so that the time between them is kept."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.treatments import DateShift as DateShiftPolicy
from secure_ml.protection.mask.keyed_choice import KeyedChoice
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated

DATE_SHIFT_PURPOSE = "date_shift"
"""Purpose of the key: one for all columns, since all dates of a subject move together."""

_FIRST, _LAST = (np.datetime64(day, "D").astype(np.int64) for day in ("0001-01-01", "9999-12-31"))


@dataclass(frozen=True)
class DateShift(ColumnTreatment):
    """Moves a date by 1 to `max_days` days, back or on.

    A cell that is no date, or whose date would leave the years 1 to 9999, becomes null and is counted.

    Attributes:
        reader: how the column is read.
        spec: how far dates move.
        subject: the subject's column, and how it is read.
        choice: the secret numbers; of the purpose `date_shift`.
    """

    reader: ColumnReader
    spec: DateShiftPolicy
    subject: tuple[str, ColumnReader]
    choice: KeyedChoice
    output_type: ClassVar[pa.DataType] = pa.date32()

    @property
    def beside(self) -> tuple[str, ...]:
        """The subject's column."""
        return (self.subject[0],)

    def apply(self, column: pa.Array, *beside: pa.Array) -> Treated:
        """See the class."""
        parsed = self.reader.parsed(column)
        subjects = self.subject[1].text(beside[0])
        days = pc.fill_null(parsed.values.cast(pa.int32()), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        moved = days + self._shifts(subjects)
        inside = (moved >= _FIRST) & (moved <= _LAST)
        lost = ~(inside & np.asarray(pc.is_valid(parsed.values)) & np.asarray(pc.is_valid(subjects)))
        values = pa.array(np.where(lost, 0, moved).astype(np.int32), pa.int32(), mask=lost).cast(pa.date32())
        return Treated(values, parsed.unparsed + values.null_count - parsed.values.null_count)

    def _shifts(self, subjects: pa.Array) -> npt.NDArray[np.int64]:
        """Days for each subject: one of -max_days to -1 and 1 to max_days, all as likely."""
        numbers = self.choice.numbers(subjects, self.subject[1].policy.entity)[:, 0]
        chosen = (numbers % np.uint64(2 * self.spec.max_days)).astype(np.int64) - self.spec.max_days
        return chosen + (chosen >= 0)
