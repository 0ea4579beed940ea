"""Which columns, alone or a few together, single people out; from one pass, in bounded memory.

Belongs here: the candidates, and which of their combinations are reported.
Must stay out: how a share is estimated, and what a policy makes of it.

Up to 50,000 rows every figure is exact. Of a larger table the classes that are counted are chosen by their numbers
(class_sample), and the columns that are combined by its first rows.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Entity, Identifiability
from secure_ml.protection.classify.cell_hashes import Hashes, hash_cells, hash_rows
from secure_ml.protection.classify.class_sample import ClassSample, Share
from secure_ml.protection.classify.distinct_count import DistinctCount
from secure_ml.protection.classify.finding import Combination, Finding
from secure_ml.protection.classify.telling import SINGLES_OUT

BEYOND = 0.05
"""Share of rows from which a combination is reported."""

STRONG = 0.2
"""Share of rows from which a column of which nothing else is known becomes a quasi-identifier by a combination."""

FEWEST_ROWS = 1_000
"""In a table of fewer rows nearly any few columns single people out: it is reported, and nothing follows from it."""

LARGEST = 3
"""Columns of the largest combinations."""

_EXACT_ROWS = 50_000
_EXACT_CELLS = 4_000_000
_SAMPLED_ROWS = 2_000_000
_IN_PAIRS = 20
_IN_TRIPLES = 12
_NEARLY_ALL = 0.8
_REPORTED = 50
_ROWS_AT_ONCE = 32_768

Columns = tuple[int, ...]


@dataclass(frozen=True)
class _Block:
    """Some rows: by column a number for each cell and whether it is there, and a number for each row's subject."""

    cells: npt.NDArray[np.uint64]
    present: npt.NDArray[np.bool_]
    subjects: Hashes


class Uniqueness:
    """Counts whom the columns of one table single out. Feed it every batch, then let it complete the findings."""

    def __init__(self, found: Callable[[], Sequence[Finding]], *, subject: str | None = None) -> None:
        """Prepare.

        Args:
            found: what is known of each column so far, in the table's order.
            subject: the column that is the same in every row of one person; without one, or where it is missing, each
                row is a person of its own.
        """
        self._found = found
        self._subject = subject
        self._names: tuple[str, ...] = ()
        self._distinct: tuple[DistinctCount, ...] = ()
        self._rows = 0
        self._waiting: list[_Block] = []
        self._waiting_rows = 0
        self._samples: dict[Columns, ClassSample] = {}
        self._level = 0

    def update(self, batch: Any) -> None:
        """Count one ``pyarrow.RecordBatch``; all have the same columns.

        Raises:
            ColumnNotExaminable: text is not UTF-8.
        """
        if not self._names:
            self._names = tuple(batch.schema.names)
            self._distinct = tuple(DistinctCount() for _ in self._names)
        hashed = [
            hash_cells(column, name=name, position=position)
            for position, (name, column) in enumerate(zip(self._names, batch.columns, strict=True))
        ]
        for count, column in zip(self._distinct, hashed, strict=True):
            count.add(column.distinct)
        subjects = hash_rows(self._rows, batch.num_rows)
        if self._subject in self._names:
            named = hashed[self._names.index(self._subject)]
            subjects = np.where(named.present, named.cells, subjects)
        self._rows += batch.num_rows
        self._waiting_rows += batch.num_rows
        self._waiting.append(
            _Block(np.stack([c.cells for c in hashed]), np.stack([c.present for c in hashed]), subjects)
        )
        if self._waiting_rows > (_ROWS_AT_ONCE if self._samples else self._exact_rows):
            self._samples = self._samples or {columns: ClassSample() for columns in self._sets()}
            self._pour()

    def complete(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """The findings with counts of distinct values, shares of unique ones, and who singles people out together.

        A column of which nothing else is known becomes a quasi-identifier by it.

        Args:
            findings: one for each column, in the table's order.
        """
        if not self._names:
            return tuple(findings)
        shares = self._shares()
        reported = [
            Combination(columns=tuple(self._names[c] for c in columns), **vars(shares[columns]))
            for columns in _minimal(shares, self._combinable())
        ][:_REPORTED]
        return tuple(
            _completed(
                replace(
                    finding,
                    distinct=count.value(),
                    distinct_is_exact=count.is_exact,
                    unique_share=shares[(position,)].share,
                    singles_out=tuple(combination for combination in reported if finding.column in combination.columns),
                )
            )
            for position, (finding, count) in enumerate(zip(findings, self._distinct, strict=True))
        )

    @property
    def _exact_rows(self) -> int:
        return min(_EXACT_ROWS, _EXACT_CELLS // len(self._names))

    def _combinable(self) -> frozenset[int]:
        """Columns that are not known to point to one person anyway."""
        return frozenset(
            position
            for position, finding in enumerate(self._found())
            if finding.identifiability.rank <= Identifiability.QUASI.rank
            and finding.entity is not Entity.FREE_TEXT
            and finding.column != self._subject
        )

    def _sets(self) -> Iterator[Columns]:
        """The sets of columns that are looked at, smallest first: known quasi-identifiers, then those of most values.

        A column of which nearly every value is another singles people out alone, unless it is a known attribute that
        has few values in a larger table: a date of birth.
        """
        findings, values = self._found(), [count.value() for count in self._distinct]
        few = _NEARLY_ALL * self._rows
        known = {c for c in self._combinable() if findings[c].entity is not Entity.NONE}
        ranked = sorted(
            (c for c in self._combinable() if c in known or values[c] <= few),
            key=lambda c: (c not in known, -values[c]),
        )
        yield from ((column,) for column in range(len(self._names)))
        yield from combinations(sorted(ranked[:_IN_PAIRS]), 2)
        for size in range(3, LARGEST + 1):
            yield from combinations(sorted(ranked[:_IN_TRIPLES]), size)

    def _shares(self) -> dict[Columns, Share]:
        if self._samples:
            self._pour()
            return {c: sample.share(self._rows, level=self._level) for c, sample in self._samples.items()}
        block, combinable = _joined(self._waiting), self._combinable()
        shares: dict[Columns, Share] = {}
        strong: set[Columns] = set()
        for columns in self._sets():
            if len(columns) > 1 and (_has_part_in(columns, strong) or self._must_be_weak(columns)):
                continue
            sample = ClassSample()
            sample.add(*_rows_of(block, columns))
            shares[columns] = sample.share(self._rows, level=0)
            if shares[columns].low >= BEYOND and combinable.issuperset(columns):
                strong.add(columns)
        return shares

    def _must_be_weak(self, columns: Columns) -> bool:
        # No more rows are alone than there are classes; a tenth is room for counts that are estimates.
        return prod(self._distinct[c].value() + 1 for c in columns) < 0.9 * BEYOND * self._rows

    def _pour(self) -> None:
        """Count the rows that wait in every sample."""
        if not self._waiting:
            return
        block, self._waiting, self._waiting_rows = _joined(self._waiting), [], 0
        wanted, level = _SAMPLED_ROWS // len(self._samples), self._level
        while self._rows >> self._level > wanted:
            self._level += 1
        limit = 2 ** (64 - self._level)
        for columns, sample in self._samples.items():
            if level != self._level:
                sample.keep_below(limit)
            classes, subjects = _rows_of(block, columns)
            chosen = np.flatnonzero(classes < np.uint64(limit)) if self._level else slice(None)
            sample.add(classes[chosen], subjects[chosen])


def _joined(blocks: Sequence[_Block]) -> _Block:
    return _Block(
        np.concatenate([block.cells for block in blocks], axis=1),
        np.concatenate([block.present for block in blocks], axis=1),
        np.concatenate([block.subjects for block in blocks]),
    )


def _rows_of(block: _Block, columns: Columns) -> tuple[Hashes, Hashes]:
    """The numbers of the rows' classes and subjects; a missing cell is a value, but singles nobody out by itself."""
    first, *others = columns
    if not others:
        there = block.present[first]
        return block.cells[first][there], block.subjects[there]
    classes = block.cells[first]
    for other in others:
        classes = classes ^ block.cells[other]
    return classes, block.subjects


def _minimal(shares: Mapping[Columns, Share], combinable: Collection[int]) -> tuple[Columns, ...]:
    """The sets beyond the threshold no part of which is beyond it, smallest first, then those of the largest share."""
    strong: set[Columns] = set()
    for columns in sorted(shares, key=len):
        if shares[columns].low >= BEYOND and set(columns) <= set(combinable) and not _has_part_in(columns, strong):
            strong.add(columns)
    return tuple(sorted(strong, key=lambda columns: (len(columns), -shares[columns].share, columns)))


def _has_part_in(columns: Columns, strong: Collection[Columns]) -> bool:
    return any(part in strong for size in range(1, len(columns)) for part in combinations(columns, size))


def _completed(finding: Finding) -> Finding:
    strong = [combination for combination in finding.singles_out if combination.low >= STRONG]
    if not strong or finding.rows < FEWEST_ROWS or finding.identifiability is not Identifiability.NONE:
        return finding
    others = [name for name in max(strong, key=lambda one: one.share).columns if name != finding.column]
    how = f"together with {' and '.join(others)}" if others else "by itself"
    return replace(finding, identifiability=Identifiability.QUASI, reason=f"{finding.reason}{SINGLES_OUT}{how}")
