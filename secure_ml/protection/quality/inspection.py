"""One pass over a raw version: the schema's faults and the policy's expectations.

Belongs here: the pass, and what counts as a fault of the schema. Must stay out: the single expectation.
"""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.project import Policy
from secure_ml.policy.quality import Between, Expectation
from secure_ml.protection.mask.target_label import Outcome
from secure_ml.protection.mask.treatment import ColumnReader
from secure_ml.protection.quality.expectations import Cells, evidence, in_words, read_cells, require_pattern
from secure_ml.protection.quality.great_expectations_suite import Counts, Suite
from secure_ml.protection.quality.report import ExpectationResult, QualityReport
from secure_ml.vault.dataset import Dataset


def inspect_quality(raw: Dataset, policy: Policy) -> QualityReport:
    """Compares a raw version with its policy, in one pass and bounded memory.

    Only declared columns are read. Counts are summed over batches, and `mostly` is applied to the sums, so how the
    rows are cut into batches changes nothing. An expectation about a column that is not there fails.

    Args:
        raw: the version, unread.
        policy: what was declared.

    Raises:
        QualityError: an expectation could not be evaluated.
        ColumnNotReadable: a declared column is stored as something that has no cells of one value.
    """
    for expectation in policy.quality.expectations:
        require_pattern(expectation)
    present = [name for name in policy.columns if name in raw.schema.names]
    asked = [e for e in policy.quality.expectations if e.column in present]
    suite = Suite(asked, [_words(e, policy) for e in asked])
    tally = _Tally(policy)
    for batch in raw.scan(present or raw.schema.names[:1]):
        cells = {name: _cells(batch, name, policy) for name in present}
        tally.add(batch, cells)
        suite.add([evidence(e, cells[e.column]) for e in asked])
    counts = iter(suite.finish())
    absent = tuple(name for name in policy.columns if name not in present)
    label_faults, notes = tally.label_findings()
    return QualityReport(
        rows=tally.rows,
        schema_faults=(*_absent(absent), *tally.faults(), *label_faults),
        notes=notes,
        undeclared=tuple(name for name in raw.schema.names if name not in policy.columns),
        expectations=tuple(
            _judged(e, next(counts) if e.column in present else None, policy) for e in policy.quality.expectations
        ),
    )


def _cells(batch: pa.RecordBatch, name: str, policy: Policy) -> Cells:
    as_numbers = any(isinstance(e, Between) and e.column == name for e in policy.quality.expectations)
    declared, missing = policy.columns[name].type, policy.source.missing
    return read_cells(batch[name], name, declared, missing=missing, as_numbers=as_numbers)


def _words(expectation: Expectation, policy: Policy) -> str:
    return in_words(expectation, policy.columns[expectation.column].type)


def _absent(columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"column {name} is declared and not there: deliver it, or correct the policy" for name in columns)


def _judged(expectation: Expectation, counts: Counts | None, policy: Policy) -> ExpectationResult:
    judged, share = Counts() if counts is None else counts, 0.0
    if counts is not None:
        of = counts.element if expectation.expect == "not_null" else counts.element - counts.missing
        share = (of - counts.unexpected) / of if of else 1.0
    return ExpectationResult(
        column=expectation.column,
        expectation=_words(expectation, policy),
        element_count=judged.element,
        missing_count=judged.missing,
        unexpected_count=judged.unexpected,
        share=share,
        mostly=expectation.mostly,
        passed=share >= expectation.mostly,
        blocking=expectation.blocking,
    )


@dataclass
class _Tally:
    """Counts that the schema is judged by."""

    policy: Policy
    rows: int = 0
    present: dict[str, int] = field(default_factory=dict)
    readable: dict[str, int] = field(default_factory=dict)
    outcomes: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    def add(self, batch: pa.RecordBatch, cells: dict[str, Cells]) -> None:
        self.rows += batch.num_rows
        for name, column in cells.items():
            self.present[name] = self.present.get(name, 0) + column.present
            self.readable[name] = self.readable.get(name, 0) + int(pc.sum(column.readable).as_py() or 0)
        label = self.policy.label
        if label.column in cells:
            reader = ColumnReader(self.policy.columns[label.column], self.policy.source.missing)
            outcomes = Outcome(reader, label.positive).apply(batch[label.column]).values
            positive = int(pc.sum(outcomes).as_py() or 0)
            self.outcomes[True] += positive
            self.outcomes[False] += len(outcomes) - int(outcomes.null_count) - positive

    def faults(self) -> tuple[str, ...]:
        """Too few rows, and columns that are not what their declared type says."""
        quality, faults = self.policy.quality, []
        if self.rows < quality.minimum_rows:
            faults.append(f"{self.rows} rows came, at least {quality.minimum_rows} are needed")
        for name, present in self.present.items():
            share = self.readable[name] / present if present else 1.0
            if share < quality.parses_mostly:
                faults.append(
                    f"column {name}: share {share:.4f} of its cells reads as {self.policy.columns[name].type}, "
                    f"at least {quality.parses_mostly:g} is needed"
                )
        return tuple(faults)

    def label_findings(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """A label without two classes, as faults and as notes: one partition of many may well have only one."""
        label = self.policy.label.column
        if label not in self.present or all(self.outcomes.values()):
            return (), ()
        classes = sum(count > 0 for count in self.outcomes.values())
        words = (f"label column {label}: {'one class' if classes else 'no class'} came, two are needed to learn from",)
        return (words, ()) if self.policy.source.partitions.kind == "none" else ((), words)
