"""The first pass: every column classified, the label's classes counted, a sample of people kept.

Belongs here: what is gathered, in bounded memory. Must stay out: what follows from it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.protection.classify.classifier import Classifier
from secure_ml.protection.classify.finding import Finding
from secure_ml.protection.draft.people import Booleans, Hashes, People
from secure_ml.protection.parse import as_text
from secure_ml.vault.dataset import Dataset

MOST_CLASSES = 1_000
"""Distinct labels after which no more are told apart."""

_SAMPLE_ROWS = 100_000
_SAMPLE_CELLS = 4_000_000


@dataclass(frozen=True, repr=False)
class Profile:
    """What one pass over a table gathered.

    Attributes:
        findings: one a column.
        rows: how many.
        classes: the label's texts with their counts of rows.
        sample: all rows of some people, raw; of everybody where the table is small.
        people: the person of each row of the sample.
        sampled: whether the sample leaves anybody out.
    """

    findings: tuple[Finding, ...]
    rows: int
    classes: Mapping[str, int]
    sample: pa.Table
    people: Hashes
    sampled: bool


def take_profile(table: Dataset, *, label: str, people: People) -> Profile:
    """Reads every cell of a table once.

    Args:
        table: the rows.
        label: the label column.
        people: tells people apart.

    Raises:
        SourceError: the file is broken.
        ClassificationError: a column cannot be looked into.
    """
    classifier, classes, sample, rows = Classifier(), Counter[str](), _Sample(table.schema), 0
    for batch in table.scan():
        classifier.update(batch)
        if len(classes) <= MOST_CLASSES:
            classes.update(_counted(as_text(batch.column(label), missing=people.missing)))
        sample.add(batch, *people.of(batch, first_row=rows))
        rows += batch.num_rows
    kept, hashes = sample.finish()
    return Profile(classifier.findings(), rows, classes, kept, hashes, sample.sampled)


def _counted(texts: pa.Array) -> dict[str, int]:
    return {item["values"]: item["counts"] for item in pc.value_counts(texts.drop_null()).to_pylist()}


class _Sample:
    """All rows of those people whose number lies below a threshold that falls as the table grows."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._limit = max(2_000, min(_SAMPLE_ROWS, _SAMPLE_CELLS // max(1, len(schema.names))))
        self._threshold = np.uint64(2**64 - 1)
        self._batches: list[pa.RecordBatch] = []
        self._hashes: list[Hashes] = []
        self._rows = 0
        self.sampled = False

    def add(self, batch: pa.RecordBatch, hashes: Hashes, present: Booleans) -> None:
        self._keep(batch, hashes, present)
        while self._rows > self._limit:
            self.sampled = True
            self._threshold = np.uint64(int(self._threshold) // 2)
            held, self._batches, known, self._hashes, self._rows = self._batches, [], self._hashes, [], 0
            for earlier, numbers in zip(held, known, strict=True):
                self._keep(earlier, numbers, np.ones(len(numbers), np.bool_))

    def finish(self) -> tuple[pa.Table, Hashes]:
        table = pa.Table.from_batches(self._batches, schema=self._schema).combine_chunks()
        return table, np.concatenate([np.empty(0, np.uint64), *self._hashes])

    def _keep(self, batch: pa.RecordBatch, hashes: Hashes, present: Booleans) -> None:
        chosen = present & (hashes <= self._threshold)
        if chosen.any():
            self._batches.append(batch.filter(pa.array(chosen)))
            self._hashes.append(hashes[chosen])
            self._rows += int(chosen.sum())
