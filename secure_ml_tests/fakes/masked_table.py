"""What `masked` and `split` would make of the small project's table, without masking: invented rows and labels."""

from collections.abc import Sequence

import pyarrow as pa

from secure_ml.access.stages import SIDES
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.labels import PUBLIC, Label

SCHEMA = pa.schema(
    [
        pa.field("member_id", pa.string()),
        pa.field("income", pa.float64()),
        pa.field("region", pa.string()),
        pa.field("gender", pa.string()),
        pa.field("diagnosis", pa.string()),
        pa.field("approved", pa.string()),
    ]
)
LABELS = {
    "member_id": Label(frozenset({Category.PII}), Entity.SUBJECT_ID, Identifiability.PSEUDONYM),
    "income": Label(frozenset({Category.FINANCIAL}), Entity.INCOME, Identifiability.QUASI),
    "region": PUBLIC,
    "gender": Label(frozenset({Category.PII}), Entity.GENDER, Identifiability.QUASI),
    "diagnosis": Label(frozenset({Category.HEALTH}), Entity.HEALTH, Identifiability.NONE),
    "approved": PUBLIC,
}


def masked_table(count: int = 40, *, batch_rows: int = 16, origins: tuple[str, ...] = ()) -> Dataset:
    """A table as `masked` stores one."""
    return from_batches(_batches(count, batch_rows), schema=SCHEMA, labels=LABELS, origins=origins)


def split_table(count: int = 40, *, sides: Sequence[str] = SIDES, origins: tuple[str, ...] = ()) -> Dataset:
    """A table as `split` stores one: what models need, with period and side; the sides take turns."""
    kept = [field for field in SCHEMA if field.name != "diagnosis"]
    schema = pa.schema([*kept, pa.field("__period", pa.string()), pa.field("__side", pa.string())])
    batches = []
    for batch in _batches(count, 16):
        turns = [sides[int(text.split("-")[1]) % len(sides)] for text in batch["member_id"].to_pylist()]
        columns = [
            *(batch[field.name] for field in kept),
            pa.array([""] * len(turns), pa.string()),
            pa.array(turns, pa.string()),
        ]
        batches.append(pa.RecordBatch.from_arrays(columns, schema=schema))
    labels = {**{field.name: LABELS[field.name] for field in kept}, "__period": PUBLIC, "__side": PUBLIC}
    dataset = from_batches(batches, schema=schema, labels=labels, origins=origins)
    return Dataset(dataset.schema, dataset.labels, dataset.open, "__side", origins)


def _batches(count: int, batch_rows: int) -> list[pa.RecordBatch]:
    made = []
    for first in range(0, count, batch_rows):
        indices = range(first, min(first + batch_rows, count))
        columns = [
            pa.array([f"token-{index}" for index in indices], pa.string()),
            pa.array([None if index % 11 == 0 else 100.0 + index for index in indices], pa.float64()),
            pa.array([("north", "south")[index % 2] for index in indices], pa.string()),
            pa.array([("f", "m", None)[index % 3] for index in indices], pa.string()),
            pa.array(["present"] * len(indices), pa.string()),
            pa.array([("yes", "no")[index % 2] for index in indices], pa.string()),
        ]
        made.append(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))
    return made
