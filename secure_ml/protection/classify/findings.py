"""The stage `classified`: a raw dataset becomes its findings table.

Belongs here: the pass over the data and the label of its result. Must stay out: what detectors look for.
"""

from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from secure_ml.protection.classify.classifier import Classifier
from secure_ml.protection.classify.finding import FINDINGS_SCHEMA, findings_table
from secure_ml.vault.dataset import Dataset


def classify(raw: Dataset) -> Dataset:
    """One row a column of `raw`: entity, evidence counts, reason. Reads every cell of every column once."""
    found: dict[str, str] = {}
    return raw.reduce(partial(count, found=found), schema=FINDINGS_SCHEMA, summary=lambda: found)


def count(batches: Iterator[pa.RecordBatch], *, found: dict[str, str]) -> pa.RecordBatch:
    """The findings of some batches: counts and words, never a value.

    Args:
        batches: of one table.
        found: filled with what each column was found to be.
    """
    classifier = Classifier()
    for batch in batches:
        classifier.update(batch)
    findings = classifier.findings()
    found.clear()
    found.update({f"found.{f.column}": f"{f.entity}, {f.identifiability}" for f in findings})
    return findings_table(findings)
