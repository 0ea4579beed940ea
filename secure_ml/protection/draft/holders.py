"""The second pass: how many people hold each value that the draft would like to name.

Belongs here: the one rule that decides whether a value may stand in a draft. Must stay out: choosing candidates.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnType
from secure_ml.protection.draft.people import Booleans, Hashes, People
from secure_ml.protection.parse import parse
from secure_ml.vault.dataset import Dataset

FEWEST_PEOPLE = 20
"""A value that fewer people hold may not stand in a draft."""

Value = float | str


@dataclass(frozen=True)
class Holders:
    """For each column and candidate, how many people hold it, counted up to `FEWEST_PEOPLE`."""

    counts: Mapping[str, Mapping[Value, int]]

    def may_name(self, column: str, value: Value) -> bool:
        """Whether enough people hold a category, so that its name points to none of them."""
        return self.counts[column][value] >= FEWEST_PEOPLE

    def may_cut_at(self, column: str, value: float) -> bool:
        """Whether a number is held by enough people or by nobody, so that it is no one's own value."""
        return self.counts[column][value] in {0, FEWEST_PEOPLE}


def count_holders(
    table: Dataset, candidates: Mapping[str, frozenset[Value]], *, types: Mapping[str, ColumnType], people: People
) -> Holders:
    """Counts over all rows, not over a sample: a value is rare or not in the whole table.

    Args:
        table: the rows.
        candidates: by column, numbers or texts, all of one kind.
        types: how each of these columns is read.
        people: tells people apart.
    """
    wanted = {name: _Wanted(values, types[name]) for name, values in candidates.items() if values}
    reads = list(dict.fromkeys([*wanted, *([people.column] if people.column else [])]))
    first = 0
    for batch in table.scan(reads) if wanted else ():
        hashes, present = people.of(batch, first_row=first)
        first += batch.num_rows
        for name, one in wanted.items():
            one.add(comparable(parse(batch.column(name), types[name], missing=people.missing).values), hashes, present)
    return Holders({name: wanted[name].counts() if name in wanted else {} for name in candidates})


def comparable(values: pa.Array) -> pa.Array:
    """Cells as candidates are written: numbers as floats, of dates the year, all else as text."""
    if pa.types.is_string(values.type) or pa.types.is_boolean(values.type):
        return values.cast(pa.string())
    return (pc.year(values) if pa.types.is_date(values.type) else values).cast(pa.float64(), safe=False)


class _Wanted:
    """The candidates of one column; each keeps its first holders, and leaves the search once it has enough."""

    def __init__(self, values: frozenset[Value], kind: ColumnType) -> None:
        self._kind = pa.string() if kind in {ColumnType.STRING, ColumnType.BOOLEAN} else pa.float64()
        self._holders: dict[Value, set[int]] = {value: set() for value in values}
        self._open = sorted(values, key=str)

    def add(
        self,
        values: pa.Array,
        hashes: Hashes,
        present: Booleans,
    ) -> None:
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
