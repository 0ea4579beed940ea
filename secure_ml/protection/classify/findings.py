"""The stage `classified`: a raw dataset becomes its findings table.

Belongs here: the pass over the data and the label of its result. Must stay out: what detectors look for.
"""

from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from secure_ml.protection.classify.classifier import Classifier
from secure_ml.protection.classify.finding import FINDINGS_SCHEMA, findings_table
from secure_ml.protection.classify.uniqueness import Uniqueness
from secure_ml.vault.dataset import Dataset


def classify(raw: Dataset, *, subject: str | None = None) -> Dataset:
    """One row a column of `raw`: entity, evidence counts, whom it singles out, reason. Reads every cell once.

    Args:
        raw: the table.
        subject: the column that is the same in every row of one person; without one, each row is a person of its own.
    """
    found: dict[str, str] = {}
    return raw.reduce(partial(count, found=found, subject=subject), schema=FINDINGS_SCHEMA, summary=lambda: found)


def count(batches: Iterator[pa.RecordBatch], *, found: dict[str, str], subject: str | None = None) -> pa.RecordBatch:
    """The findings of some batches: counts and words, never a value.

    Args:
        batches: of one table.
        found: filled with what each column was found to be.
        subject: the column that is the same in every row of one person.
    """
    classifier = Classifier()
    uniqueness = Uniqueness(classifier.findings, subject=subject)
    for batch in batches:
        classifier.update(batch)
        uniqueness.update(batch)
    findings = uniqueness.complete(classifier.findings())
    found.clear()
    found.update({f"found.{f.column}": f"{f.entity}, {f.identifiability}" for f in findings})
    return findings_table(findings)
