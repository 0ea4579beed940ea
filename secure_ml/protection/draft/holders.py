"""The second pass: how many people hold each value that the draft would like to name.

Belongs here: the one rule that decides whether a value may stand in a draft. Must stay out: choosing candidates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnType
from secure_ml.protection.draft.people import Booleans, Hashes, People
from secure_ml.protection.mask.generalise_date import completed_years
from secure_ml.protection.parse import parse
from secure_ml.vault.dataset import Dataset

FEWEST_PEOPLE = 20
"""A value that fewer people hold may not stand in a draft."""

Value = float | str | date
"""Of a column of dates, a number is an age, or a year, and a date is a day."""

OLDEST = 90
"""From this age on everybody counts as of this age, as in HIPAA's safe harbour (45 CFR 164.514 (b) (2) (i) (C))."""


@dataclass(frozen=True)
class Holders:
    """For each column and candidate, how many people hold it, counted up to `FEWEST_PEOPLE`."""

    counts: Mapping[str, Mapping[Value, int]]

    def may_name(self, column: str, value: Value) -> bool:
        """Whether enough people hold a category, so that its name points to none of them."""
        return self.counts[column][value] >= FEWEST_PEOPLE

    def is_nobodys_own(self, column: str, value: Value) -> bool:
        """Whether a value is held by enough people or by nobody, so that it may be a bound or a word of the draft."""
        return self.counts[column][value] in {0, FEWEST_PEOPLE}


def count_holders(
    table: Dataset,
    candidates: Mapping[str, frozenset[Value]],
    *,
    types: Mapping[str, ColumnType],
    people: People,
    born_by: Mapping[str, date],
) -> Holders:
    """Counts over all rows, not over a sample: a value is rare or not in the whole table.

    Args:
        table: the rows.
        candidates: by column, texts, or numbers and days.
        types: how each of these columns is read.
        people: tells people apart.
        born_by: for columns of births, the day on which ages are counted.
    """
    wanted = {name: _split(values, types[name]) for name, values in candidates.items() if values}
    reads = list(dict.fromkeys([*wanted, *([people.column] if people.column else [])]))
    first = 0
    for batch in table.scan(reads) if wanted else ():
        hashes, present = people.of(batch, first_row=first)
        first += batch.num_rows
        for name, ones in wanted.items():
            cells = parse(batch.column(name), types[name], missing=people.missing).values
            for one in ones:
                one.add(cells if one.of_days else comparable(cells, born_by=born_by.get(name)), hashes, present)
    return Holders(
        {name: {v: n for one in wanted.get(name, ()) for v, n in one.counts().items()} for name in candidates}
    )


def comparable(values: pa.Array, *, born_by: date | None = None) -> pa.Array:
    """Cells as candidates are written: numbers as floats, of dates the age or the year, all else as text."""
    if pa.types.is_string(values.type) or pa.types.is_boolean(values.type):
        return values.cast(pa.string())
    if pa.types.is_date(values.type):
        values = pc.year(values) if born_by is None else completed_years(values, at=born_by, oldest=OLDEST)
    return values.cast(pa.float64(), safe=False)


def _split(values: frozenset[Value], kind: ColumnType) -> tuple["_Wanted", ...]:
    """Days apart from all else, since they are compared as days."""
    days = frozenset(value for value in values if isinstance(value, date))
    text = kind in {ColumnType.STRING, ColumnType.BOOLEAN}
    parts = ((days, pa.date32()), (values - days, pa.string() if text else pa.float64()))
    return tuple(_Wanted(part, as_type) for part, as_type in parts if part)


class _Wanted:
    """The candidates of one column; each keeps its first holders, and leaves the search once it has enough."""

    def __init__(self, values: frozenset[Value], kind: pa.DataType) -> None:
        self._kind = kind
        self._holders: dict[Value, set[int]] = {value: set() for value in values}
        self._open = sorted(values, key=str)

    @property
    def of_days(self) -> bool:
        """Whether its candidates are days."""
        return bool(pa.types.is_date(self._kind))

    def add(self, values: pa.Array, hashes: Hashes, present: Booleans) -> None:
        if not self._open:
            return
        found = pc.index_in(values, pa.array(self._open, self._kind))
        index = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        rows = np.flatnonzero((index >= 0) & present)
        pairs = np.unique(np.stack([index[rows].astype(np.uint64), hashes[rows]]), axis=1)
        edges = np.searchsorted(pairs[0], np.arange(len(self._open) + 1, dtype=np.uint64))
        for value, start, end in zip(self._open, edges[:-1], edges[1:], strict=True):
            self._holders[value].update(pairs[1, start : min(end, start + FEWEST_PEOPLE)].tolist())
        self._open = [value for value in self._open if len(self._holders[value]) < FEWEST_PEOPLE]

    def counts(self) -> dict[Value, int]:
        return {value: min(len(holders), FEWEST_PEOPLE) for value, holders in self._holders.items()}
