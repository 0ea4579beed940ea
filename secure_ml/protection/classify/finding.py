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

FORMAT = 2
"""Version of the stored form; see docs/formats/findings.md. Format 1 had no figures of uniqueness."""


@dataclass(frozen=True, kw_only=True)
class Combination:
    """Columns that together single people out.

    Attributes:
        columns: their names, in the table's order; one, where it does so alone.
        share: share of rows, 0..1, whose cells in these columns no other person's row has.
        low: the share is no less, and
        high: no more, with a confidence of 99 %; both are the share where it was counted and not estimated.
        classes: different cells of these columns, taken together, among which it was counted.
    """

    columns: tuple[str, ...]
    share: float
    low: float
    high: float
    classes: int


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
        distinct: Different values in the whole table; None, as the figures below, where it was not measured.
        distinct_is_exact: Whether they were counted; otherwise estimated with a standard error of 1.6 %.
        unique_share: Share of rows, 0..1, whose value no other person's row has.
        singles_out: Combinations beyond the threshold that the column takes part in, smallest first.
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
    distinct: int | None = None
    distinct_is_exact: bool | None = None
    unique_share: float | None = None
    singles_out: tuple[Combination, ...] = ()
    reason: str


_BEFORE_UNIQUENESS = [
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

FINDINGS_SCHEMA = pa.schema(
    [
        *_BEFORE_UNIQUENESS,
        pa.field("distinct", pa.int64()),
        pa.field("distinct_is_exact", pa.bool_()),
        pa.field("unique_share", pa.float64()),
        pa.field("singles_out", pa.string(), nullable=False),
    ]
)
"""Columns of the findings table: flat, so that each leaf has one encryption key.

`embedded`, `also` and `singles_out` are JSON.
"""

_COLUMNS_OF_FORMAT = {1: [field.name for field in _BEFORE_UNIQUENESS], FORMAT: FINDINGS_SCHEMA.names}


def findings_table(findings: Iterable[Finding]) -> Any:
    """Write findings as one record batch of ``FINDINGS_SCHEMA``, a row a column, in the order given."""
    rows = [
        {
            **{name: getattr(finding, name) for name in FINDINGS_SCHEMA.names if name != "format"},
            "format": FORMAT,
            "embedded": json.dumps({str(entity): count for entity, count in sorted(finding.embedded.items())}),
            "also": json.dumps([str(entity) for entity in finding.also]),
            "singles_out": json.dumps([vars(combination) for combination in finding.singles_out]),
        }
        for finding in findings
    ]
    return pa.RecordBatch.from_pylist(rows, schema=FINDINGS_SCHEMA)


def read_findings(batch: Any) -> tuple[Finding, ...]:
    """Read what ``findings_table`` wrote, today or before the figures of uniqueness.

    Raises:
        FindingsUnreadable: Other columns, an unknown format, or a word outside the vocabulary.
    """
    known = [number for number, names in _COLUMNS_OF_FORMAT.items() if batch.schema.names == names]
    if not known:
        raise FindingsUnreadable("its columns are not those of a findings table")
    rows = batch.to_pylist()
    if any(row["format"] != known[0] for row in rows):
        raise FindingsUnreadable(f"its columns are those of format {known[0]}, and it says another")
    try:
        return tuple(_finding(row) for row in rows)
    except (ValueError, TypeError, AttributeError, KeyError):
        raise FindingsUnreadable("a cell is outside the vocabulary") from None


def _finding(row: dict[str, Any]) -> Finding:
    embedded = {Entity(entity): int(count) for entity, count in json.loads(row["embedded"]).items()}
    typed = {
        "entity": Entity(row["entity"]),
        "category": Category(row["category"]),
        "identifiability": Identifiability(row["identifiability"]),
        "embedded": MappingProxyType(embedded),
        "also": tuple(Entity(entity) for entity in json.loads(row["also"])),
        "singles_out": tuple(_combination(told) for told in json.loads(row.get("singles_out", "[]"))),
    }
    return Finding(**{name: value for name, value in {**row, **typed}.items() if name != "format"})


def _combination(told: dict[str, Any]) -> Combination:
    share, low, high = (float(told[name]) for name in ("share", "low", "high"))
    columns = tuple(str(name) for name in told["columns"])
    return Combination(columns=columns, share=share, low=low, high=high, classes=int(told["classes"]))
