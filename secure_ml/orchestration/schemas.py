"""What Dagster shows about columns: what each holds, how it is labelled, what is done to it, where it comes from.

Belongs here: names, labels and the policy's words. Must stay out: cells, and facts of one version (metadata).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import PERIOD, SIDE, Stage
from secure_ml.orchestration.keys import asset_key
from secure_ml.policy.columns import ColumnPolicy
from secure_ml.policy.project import Policy
from secure_ml.protection.mask.describe import describe_treatment

if TYPE_CHECKING:
    from secure_ml.vault.dataset import Dataset

SCHEMA = "dagster/column_schema"
LINEAGE = "dagster/column_lineage"

TABLES = frozenset({Stage.RAW, Stage.CLASSIFIED, Stage.MASKED, Stage.SPLIT})
"""Stages whose versions are tables; the others hold files: a model, figures, a card."""

_FINDING_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "format": "Version of this table's form.",
        "column": "Name of a column of raw; the row is about it.",
        "entity": "What its values are.",
        "category": "Kind of sensitive data that it belongs to.",
        "identifiability": "How far a value points to one person.",
        "confidence": "How sure this is, from 0 to 1.",
        "rows": "Cells seen, empty ones included.",
        "non_null": "Cells that hold something.",
        "pattern_matches": "Cells that look like the entity.",
        "examined": "Cells whose check digit or rule was computed.",
        "validated": "Examined cells that passed.",
        "distinct_at_least": "Most different values seen in one batch.",
        "context": "Whether the column's name speaks of the entity.",
        "embedded": "Cells in whose text an identifier was found, counted by entity.",
        "also": "Other entities found in the same column.",
        "reason": "Why, in words; never a value.",
        "distinct": "Different values in the whole table.",
        "distinct_is_exact": "Whether they were counted, not estimated.",
        "unique_share": "Share of rows whose value no other person has.",
        "singles_out": "Combinations of columns, this one among them, that single people out; shares and their bounds.",
    }
)
_USES: Mapping[str, str] = MappingProxyType(
    {
        "feature": "; a feature of the model",
        "fairness": "; never a feature, groups are compared by it",
        "review": "; never a feature, shown to a reviewer",
        "administrative": "; never a feature, used to run the project",
        "never": "",
    }
)
_SPLIT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        PERIOD: "Partition that the row comes from.",
        SIDE: "Train, validation or test; one person is always on one side.",
    }
)


def labelled_schema(dataset: "Dataset", stage: Stage, policy: Policy) -> dg.TableSchemaMetadataValue:
    """Columns with type, the policy's words and their label as tags."""
    columns = []
    for field in dataset.schema:
        label = dataset.labels[field.name]
        tags = {"category": "_".join(sorted(label.categories)), "identifies": str(label.identifiability)}
        if label.entity != "none":
            tags["entity"] = str(label.entity)
        columns.append(dg.TableColumn(field.name, str(field.type), _words(field.name, stage, policy), tags=tags))
    return dg.MetadataValue.table_schema(dg.TableSchema(columns))


def declared_schema(policy: Policy) -> dg.TableSchemaMetadataValue:
    """Columns of raw as the policy declares them; shown until a version with its own schema is there."""
    columns = [
        dg.TableColumn(name, str(column.type), _raw_words(name, policy), tags=_declared_tags(column))
        for name, column in policy.columns.items()
    ]
    return dg.MetadataValue.table_schema(dg.TableSchema(columns))


def masked_lineage(policy: Policy, environment: str) -> dict[str, dg.MetadataValue]:
    """Which raw column each masked column comes from, under the key that Dagster's UI reads."""
    raw = asset_key(environment, policy.project, Stage.RAW)
    kept = [name for name, column in policy.columns.items() if column.treatment.kind != "drop"]
    lineage = dg.TableColumnLineage({name: [dg.TableColumnDep(raw, name)] for name in kept})
    return {LINEAGE: dg.MetadataValue.column_lineage(lineage)}


def _words(name: str, stage: Stage, policy: Policy) -> str:
    if stage is Stage.CLASSIFIED:
        return _FINDING_WORDS.get(name, "")
    column = policy.columns.get(name)
    if column is None:
        undeclared = (
            "Not declared in the policy: encrypted under the strictest label, and nothing but classified reads it."
        )
        return _SPLIT_WORDS.get(name, undeclared)
    return _raw_words(name, policy) if stage is Stage.RAW else f"{column.description} Here: {_treatment(name, policy)}."


def _raw_words(name: str, policy: Policy) -> str:
    return f"{policy.columns[name].description} In masked: {_treatment(name, policy)}."


def _treatment(name: str, policy: Policy) -> str:
    if name == policy.label.column:
        return f"true for {policy.label.positive}; what the model learns to predict"
    column = policy.columns[name]
    return f"{describe_treatment(column)}{_USES[column.use.kind]}"


def _declared_tags(column: ColumnPolicy) -> dict[str, str]:
    tags = {"category": str(column.category), "identifies": str(column.identifiability)}
    return tags if column.entity == "none" else tags | {"entity": str(column.entity)}
