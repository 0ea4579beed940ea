"""Models, reports and figures as datasets, so that they pass through the same door as tables.

Belongs here: the shape of an artefact table. Must stay out: what an artefact contains.
"""

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from secure_ml.vault.dataset import Dataset, DatasetError, from_batches
from secure_ml.vault.labels import Label

ARTEFACTS = pa.schema([pa.field("name", pa.string(), nullable=False), pa.field("content", pa.binary(), nullable=False)])
"""One row a file."""


def artefacts(
    files: Mapping[str, bytes],
    *,
    label: Label,
    origins: tuple[str, ...],
    summary: Mapping[str, int | float | str],
) -> Dataset:
    """A dataset of named files.

    Args:
        files: content by name; names say nothing of a person.
        label: what the contents may reveal. A model trained on people is data about them.
        origins: version ids that the contents were made from.
        summary: aggregates that stand in the manifest, readable without a key of the contents.
    """
    batch = pa.record_batch(
        [pa.array(list(files), pa.string()), pa.array(list(files.values()), pa.binary())], schema=ARTEFACTS
    )
    dataset = from_batches([batch], schema=ARTEFACTS, labels={"name": label, "content": label}, origins=origins)
    return replace(dataset, summary=lambda: summary)


def read_artefacts(dataset: Dataset) -> dict[str, bytes]:
    """The files of an artefact dataset, by name.

    Raises:
        DatasetError: it is not one.
    """
    if not dataset.schema.equals(ARTEFACTS):
        raise DatasetError("this dataset holds a table, not artefacts")
    files: dict[str, bytes] = {}
    for batch in dataset.scan():
        files.update(zip(batch["name"].to_pylist(), batch["content"].to_pylist(), strict=True))
    return files
