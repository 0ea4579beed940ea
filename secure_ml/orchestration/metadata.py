"""What Dagster shows about a version: schema with labels, lineage of columns, counts, digests, figures.

Belongs here: aggregates and names. Must stay out: anything that could hold a value of a person.
"""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.guard.redaction import Redactor
from secure_ml.orchestration.keys import asset_key
from secure_ml.policy.project import Policy
from secure_ml.protection.mask.describe import describe_treatment
from secure_ml.release.validation import Evidence
from secure_ml.vault.dataset import Dataset

if TYPE_CHECKING:
    from secure_ml.vault.door import Stored

_LINEAGE = "dagster/column_lineage"
_SCHEMA = "dagster/column_schema"
_ROWS = "dagster/row_count"


def stored_metadata(stored: "Stored") -> dict[str, dg.MetadataValue]:
    """Facts of a version that has just been committed."""
    redact = Redactor().redact
    return {
        _SCHEMA: labelled_schema(stored.dataset),
        _ROWS: dg.MetadataValue.int(stored.rows),
        "version": dg.MetadataValue.text(stored.version_id),
        "digest": dg.MetadataValue.text(stored.digest),
        "audit_log_entry": dg.MetadataValue.int(stored.audit_index),
        **{redact(name): _value(value) for name, value in stored.summary.items()},
    }


def labelled_schema(dataset: Dataset) -> dg.TableSchemaMetadataValue:
    """Columns with type and label; the label shows as description and as tags."""
    columns = []
    for field in dataset.schema:
        label = dataset.labels[field.name]
        categories = ", ".join(sorted(label.categories))
        tags = {"category": "_".join(sorted(label.categories)), "identifiability": str(label.identifiability)}
        description = f"{categories}; identifies: {label.identifiability}"
        if label.entity != "none":
            tags["entity"] = str(label.entity)
            description += f"; {label.entity.replace('_', ' ')}"
        columns.append(dg.TableColumn(field.name, str(field.type), description, tags=tags))
    return dg.MetadataValue.table_schema(dg.TableSchema(columns))


def declared_schema(policy: Policy) -> dg.TableSchemaMetadataValue:
    """Columns as the policy declares them, with their treatment."""
    columns = [
        dg.TableColumn(
            name,
            str(column.type),
            f"{column.description} — {column.category}; {describe_treatment(column)}; use: {column.use.kind}",
            tags={"category": str(column.category), "identifiability": str(column.identifiability)},
        )
        for name, column in policy.columns.items()
    ]
    return dg.MetadataValue.table_schema(dg.TableSchema(columns))


def masked_lineage(policy: Policy, environment: str) -> dg.TableColumnLineage:
    """Which raw column each masked column comes from."""
    raw = asset_key(environment, policy.project, Stage.RAW)
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(raw, name)]
            for name, column in policy.columns.items()
            if column.treatment.kind != "drop"
        }
    )


def lineage_metadata(policy: Policy, environment: str) -> dict[str, dg.MetadataValue]:
    """`masked_lineage` under the key that Dagster's UI reads."""
    return {_LINEAGE: dg.MetadataValue.column_lineage(masked_lineage(policy, environment))}


def evidence_metadata(evidence: Evidence, policy: Policy) -> dict[str, dg.MetadataValue]:
    """The gates and the pictures of a validation; its figures are in the summary."""
    gates = "\n".join(f"- {'passed' if g.passed else 'FAILED'}: {g.words}" for g in evidence.judgements(policy))
    return {"gates": dg.MetadataValue.md(gates), **figures_metadata(evidence.figures)}


def figures_metadata(figures: Mapping[str, bytes]) -> dict[str, dg.MetadataValue]:
    """PNG figures that the UI shows inline; each is at most 60 KB."""
    return {
        name: dg.MetadataValue.md(f"![{name}](data:image/png;base64,{base64.b64encode(content).decode()})")
        for name, content in figures.items()
    }


def _value(value: int | float | str) -> dg.MetadataValue:
    if isinstance(value, bool | str):
        return dg.MetadataValue.text(Redactor().redact(str(value)))
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    return dg.MetadataValue.float(value)
