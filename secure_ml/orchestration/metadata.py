"""What Dagster shows about a version: schema with labels, counts, digests, figures.

Belongs here: aggregates and names. Must stay out: anything that could hold a value of a person.
"""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.guard.redaction import Redactor
from secure_ml.orchestration.schemas import SCHEMA, TABLES, labelled_schema
from secure_ml.policy.project import Policy

if TYPE_CHECKING:
    from secure_ml.assessment.gates import Judgement
    from secure_ml.release.validation import Evidence
    from secure_ml.vault.door import Stored

_ROWS = "dagster/row_count"


def stored_metadata(stored: "Stored", stage: Stage, policy: Policy) -> dict[str, dg.MetadataValue]:
    """Facts of a version that has just been committed."""
    redact = Redactor().redact
    size: dict[str, dg.MetadataValue] = {"files": dg.MetadataValue.int(stored.rows)}
    if stage in TABLES:
        size = {SCHEMA: labelled_schema(stored.dataset, stage, policy), _ROWS: dg.MetadataValue.int(stored.rows)}
    return {
        **size,
        "version": dg.MetadataValue.text(stored.version_id),
        "digest": dg.MetadataValue.text(stored.digest),
        "audit_log_entry": audit_log_entry(stored.audit_index),
        **{redact(_key(name)): _value(value) for name, value in stored.summary.items()},
    }


def audit_log_entry(index: int) -> dg.MetadataValue:
    """The entry's index; as text, since Dagster plots every number over time."""
    return dg.MetadataValue.text(str(index))


def evidence_metadata(evidence: "Evidence", policy: Policy) -> dict[str, dg.MetadataValue]:
    """The gates and the pictures of a validation; its figures are in the summary."""
    gates = "\n".join(_gate(judgement) for judgement in evidence.judgements(policy))
    return {"gates": dg.MetadataValue.md(gates), **figures_metadata(evidence.figures)}


def _gate(judgement: "Judgement") -> str:
    """Two short lines, since the page cuts off what is wider than its column; the check has the whole sentence."""
    found = "no figure" if judgement.value is None else f"{judgement.value:g}"
    answer = "passed" if judgement.passed else "FAILED" if judgement.blocking else "warns"
    metric, by, attribute = judgement.name.partition(" by ")
    return f"- **{answer}** {metric}  \n  {f'by {attribute} ' if by else ''}{found} ({judgement.bound})"


def figures_metadata(figures: Mapping[str, bytes]) -> dict[str, dg.MetadataValue]:
    """PNG figures that the UI shows inline; each is at most 60 KB."""
    return {
        name: dg.MetadataValue.md(f"![{name}](data:image/png;base64,{base64.b64encode(content).decode()})")
        for name, content in figures.items()
    }


def _key(name: str) -> str:
    """The name of a figure, short enough that the page does not print the time over the attribute's name."""
    return name.replace("_difference.", ".")


def _value(value: int | float | str) -> dg.MetadataValue:
    if isinstance(value, bool | str):
        return dg.MetadataValue.text(Redactor().redact(str(value)))
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    return dg.MetadataValue.float(value)
