"""What is found about a column, and the table that stores it.

Belongs here: the record, its Arrow form, the way back. Must stay out: any cell of the classified table.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.errors import FindingsUnreadable

FORMAT = 1
"""Version of the stored form; see docs/formats/findings.md."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One column's classification.

    Attributes:
        column: The column's name.
        entity: What it holds; ``Entity.NONE`` when nothing sensitive was found.
        category: Category that such a column belongs to.
        identifiability: How far it points to one person.
        confidence: 0..1.
        rows: Cells seen, nulls included.
        non_null: Cells that hold something.
        pattern_matches: Cells of the entity's shape.
        examined: Those whose check was computed.
        validated: Examined cells that passed.
        distinct_at_least: Most distinct values seen in one batch.
        context: Whether the column's name speaks of the entity.
        embedded: Cells in whose text an entity was found for certain, by entity.
        also: Other entities found in the same column with a confidence of their own.
        reason: Why, in words, without any value.
    """

    column: str
    entity: Entity
    category: Category
    identifiability: Identifiability
    confidence: float
    rows: int
    non_null: int
    pattern_matches: int
    examined: int
    validated: int
    distinct_at_least: int
    context: bool
    embedded: Mapping[Entity, int] = field(default_factory=lambda: MappingProxyType({}))
    also: tuple[Entity, ...] = ()
    reason: str


FINDINGS_SCHEMA = pa.schema(
    [
        pa.field("format", pa.int64(), nullable=False),
        pa.field("column", pa.string(), nullable=False),
        pa.field("entity", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("identifiability", pa.string(), nullable=False),
        pa.field("confidence", pa.float64(), nullable=False),
        *(
            pa.field(count, pa.int64(), nullable=False)
            for count in ("rows", "non_null", "pattern_matches", "examined", "validated", "distinct_at_least")
        ),
        pa.field("context", pa.bool_(), nullable=False),
        pa.field("embedded", pa.string(), nullable=False),
        pa.field("also", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
    ]
)
"""Columns of the findings table: flat, so that each leaf has one encryption key; ``embedded`` and ``also`` are JSON."""


def findings_table(findings: Iterable[Finding]) -> Any:
    """Write findings as one record batch of ``FINDINGS_SCHEMA``, a row a column, in the order given."""
    rows = [
        {
            **{name: getattr(finding, name) for name in FINDINGS_SCHEMA.names if name != "format"},
            "format": FORMAT,
            "embedded": json.dumps({str(entity): count for entity, count in sorted(finding.embedded.items())}),
            "also": json.dumps([str(entity) for entity in finding.also]),
        }
        for finding in findings
    ]
    return pa.RecordBatch.from_pylist(rows, schema=FINDINGS_SCHEMA)


def read_findings(batch: Any) -> tuple[Finding, ...]:
    """Read what ``findings_table`` wrote.

    Raises:
        FindingsUnreadable: Other columns, an unknown format, or a word outside the vocabulary.
    """
    if batch.schema.names != FINDINGS_SCHEMA.names:
        raise FindingsUnreadable("its columns are not those of a findings table")
    rows = batch.to_pylist()
    if any(row["format"] != FORMAT for row in rows):
        raise FindingsUnreadable(f"its format is not {FORMAT}")
    try:
        return tuple(_finding(row) for row in rows)
    except (ValueError, TypeError, AttributeError):
        raise FindingsUnreadable("a cell is outside the vocabulary") from None


def _finding(row: dict[str, Any]) -> Finding:
    embedded = {Entity(entity): int(count) for entity, count in json.loads(row["embedded"]).items()}
    typed = {
        "entity": Entity(row["entity"]),
        "category": Category(row["category"]),
        "identifiability": Identifiability(row["identifiability"]),
        "embedded": MappingProxyType(embedded),
        "also": tuple(Entity(entity) for entity in json.loads(row["also"])),
    }
    return Finding(**{name: value for name, value in {**row, **typed}.items() if name != "format"})
