"""The type that a column's cells read as.

Belongs here: trying the types in order, and the marks that stand for a missing number. Must stay out: reading (parse).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnType
from secure_ml.policy.labels import Entity
from secure_ml.protection.draft.holders import FEWEST_PEOPLE
from secure_ml.protection.draft.people import Hashes
from secure_ml.protection.draft.regions import coordinate_type
from secure_ml.protection.parse import as_text, is_text, parse_text

READS_AS = 0.98
"""Share of the present cells that must read as a type; well above what the quality check asks of each delivery."""

_MISSING_MARKS = ("?", "-", ".", "unknown", "Unknown", "none", "None")
"""Marks that some tables write into a column of numbers or dates where nothing is known."""

_MEASURED = frozenset(
    {Entity.NONE, Entity.DATE_OF_BIRTH, Entity.GENDER, Entity.RELIGION, Entity.ETHNICITY, Entity.INCOME, Entity.HEALTH}
)
_CODE = r"^0[0-9]+$"
_CODES_SHARE = 0.02


def infer_type(column: pa.Array, *, entity: Entity, missing: tuple[str, ...]) -> ColumnType:
    """The type of one column.

    A column of numbers that are names (telephone numbers, postal codes, codes with leading zeros) is text.

    Args:
        column: raw cells.
        entity: what was found in it.
        missing: texts that mean missing.
    """
    if entity is Entity.GEO_COORDINATES:
        texts = as_text(column, missing=missing)
        return coordinate_type(texts, parse_text(texts, ColumnType.NUMBER))
    if entity not in _MEASURED:
        return ColumnType.STRING
    if not is_text(column.type):
        return _stored_type(column.type)
    counted = pc.value_counts(as_text(column, missing=missing).drop_null())
    texts, counts = counted.field("values"), counted.field("counts").to_numpy(zero_copy_only=False)
    if not len(texts) or _share(pc.match_substring_regex(texts, _CODE), counts) > _CODES_SHARE:
        return ColumnType.STRING
    order = [ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.DATE, ColumnType.BOOLEAN]
    if entity is Entity.DATE_OF_BIRTH:
        order.insert(0, ColumnType.DATE)
    for kind in order:
        if _share(pc.is_valid(parse_text(texts, kind)), counts) >= READS_AS:
            return kind
    return ColumnType.STRING


def missing_marks(table: pa.Table, people: Hashes, *, usual: tuple[str, ...]) -> tuple[str, ...]:
    """Further texts that mean missing: those that alone keep a column from being numbers or dates.

    Only a mark that at least `FEWEST_PEOPLE` people of the sample have is named.
    """
    found: dict[str, None] = {}
    for name in table.schema.names:
        column = _one(table.column(name))
        if not is_text(column.type):
            continue
        texts = as_text(column, missing=usual)
        for mark in _MISSING_MARKS:
            held = np.unique(people[np.asarray(pc.fill_null(pc.equal(texts, mark), False))])
            if held.size >= FEWEST_PEOPLE and _becomes_readable(column, (*usual, mark), usual):
                found[mark] = None
    return tuple(found)


def _becomes_readable(column: pa.Array, with_mark: tuple[str, ...], without: tuple[str, ...]) -> bool:
    before = infer_type(column, entity=Entity.NONE, missing=without)
    after = infer_type(column, entity=Entity.NONE, missing=with_mark)
    return before is ColumnType.STRING and after in {ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.DATE}


def _stored_type(kind: pa.DataType) -> ColumnType:
    if pa.types.is_boolean(kind):
        return ColumnType.BOOLEAN
    if pa.types.is_integer(kind):
        return ColumnType.INTEGER
    return ColumnType.NUMBER if pa.types.is_floating(kind) else ColumnType.DATE


def _share(which: pa.Array, counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    mask = np.asarray(pc.fill_null(which, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
    return float(counts[mask].sum() / counts.sum())


def _one(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)
