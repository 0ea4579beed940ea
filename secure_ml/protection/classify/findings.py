"""The stage `classified`: a raw dataset becomes its findings table.

Belongs here: the pass over the data and the label of its result. Must stay out: what detectors look for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from secure_ml.protection.classify.classifier import Classifier
from secure_ml.protection.classify.finding import FINDINGS_SCHEMA, findings_table
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.labels import declassify, join


def classify(raw: Dataset) -> Dataset:
    """One row a column of `raw`: entity, evidence counts, reason. Reads every cell of every column once."""
    label = declassify(join(raw.labels.values()), by="count")

    found: dict[str, int | float | str] = {}

    def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        classifier = Classifier()
        for batch in raw.scan():
            classifier.update(batch)
        findings = classifier.findings()
        found.clear()
        found.update({f"found.{f.column}": f"{f.entity}, {f.identifiability}" for f in findings})
        yield findings_table(findings).select(list(columns))

    return replace(
        raw,
        schema=FINDINGS_SCHEMA,
        labels=dict.fromkeys(FINDINGS_SCHEMA.names, label),
        open=scan,
        section_column=None,
        summary=lambda: found,
    )
