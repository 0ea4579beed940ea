"""Classifies every column of a table from a stream of record batches.

Belongs here: which detector wins, and the words that explain it.
Must stay out: patterns, counting, comparison with a policy.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import cells_of, require_examinable, words_of
from secure_ml.protection.classify.detector import Detector, Evidence
from secure_ml.protection.classify.detectors import standard_detectors
from secure_ml.protection.classify.errors import HeaderHoldsValues, SchemaChanged
from secure_ml.protection.classify.finding import Finding
from secure_ml.protection.classify.tally import ColumnTally
from secure_ml.protection.classify.text import certain_entities

FOUND = 0.4
"""Confidence below which a detector's opinion is not a finding."""


_BLOCK_ROWS = 16_384
_BLOCK_BYTES = 32 * 2**20


class Classifier:
    """Looks at every cell of every column once; memory does not grow with the rows.

    Feed all batches of one table to ``update``, then ask ``findings``. Rows are counted in blocks, however many come
    at once, and the columns of a block side by side; at most one block of rows is held.
    """

    def __init__(self, detectors: Sequence[Detector] | None = None) -> None:
        self._detectors: tuple[Detector, ...] = tuple(standard_detectors() if detectors is None else detectors)
        self._columns: tuple[ColumnTally, ...] | None = None
        self._schema: Any = None
        self._waiting: list[Any] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0

    def update(self, batch: Any) -> None:
        """Count one ``pyarrow.RecordBatch``, or keep it until a block of rows is full.

        Raises:
            HeaderHoldsValues: A column's name is itself an identifier: the source has no header line.
            SchemaChanged: Other columns or types than in the first batch.
            ColumnNotExaminable: A nested or binary column, or text that is not UTF-8 in a block that is full.
        """
        if self._columns is None:
            _refuse_values_as_names(batch.schema.names)
            require_examinable(batch.schema)
            self._schema = batch.schema.remove_metadata()
            self._columns = tuple(ColumnTally(name=name, words=words_of(name)) for name in batch.schema.names)
        if not batch.schema.equals(self._schema, check_metadata=False):
            raise SchemaChanged
        while batch.num_rows:
            rows = batch.slice(0, _BLOCK_ROWS - self._waiting_rows)
            batch = batch.slice(rows.num_rows)
            self._waiting.append(rows.replace_schema_metadata())
            self._waiting_rows += rows.num_rows
            self._waiting_bytes += rows.nbytes
            if self._waiting_rows == _BLOCK_ROWS or self._waiting_bytes >= _BLOCK_BYTES:
                self._count_block()

    def findings(self) -> tuple[Finding, ...]:
        """Return one finding a column, in the table's order; empty before the first batch.

        Raises:
            ColumnNotExaminable: Text among the last rows is not UTF-8.
        """
        self._count_block()
        return tuple(self._judge(tally) for tally in self._columns or ())

    def _count_block(self) -> None:
        if not self._waiting:
            return
        block = pa.Table.from_batches(self._waiting).unify_dictionaries().combine_chunks()
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0
        with ThreadPoolExecutor(max_workers=pa.cpu_count()) as pool:
            # Arrow and numpy work outside the interpreter's lock. The columns share nothing, so their order is free:
            # the longest first, so that no thread is left alone with one at the end.
            pairs = sorted(zip(self._columns or (), block.columns, strict=True), key=lambda pair: -pair[1].nbytes)
            for _ in pool.map(self._count_column, *zip(*pairs, strict=True)):
                pass

    def _count_column(self, tally: ColumnTally, column: Any) -> None:
        for chunk in column.chunks:
            tally.add(cells_of(chunk, name=tally.name), self._detectors)

    def _judge(self, tally: ColumnTally) -> Finding:
        opinions = []
        for index, detector in enumerate(self._detectors):
            evidence = tally.evidence(index, detector)
            confidence = detector.confidence(evidence)
            if confidence >= FOUND:
                opinions.append((confidence, detector, evidence))
        if not opinions:
            return _embedded_finding(tally) if tally.embedded else _nothing(tally)
        # Python's sort is stable: among equals the detectors' order decides.
        opinions.sort(key=lambda opinion: (-round(opinion[0], 2), -opinion[1].identifiability.rank))
        confidence, detector, evidence = opinions[0]
        also = tuple(other.entity for certainty, other, _ in opinions[1:] if certainty >= FOUND)
        return _finding(tally, detector, evidence, confidence, also)


def _refuse_values_as_names(names: Sequence[str]) -> None:
    count = sum(bool(certain_entities(name) & _UNMISTAKABLE) for name in names)
    if count:
        raise HeaderHoldsValues(count=count)


_UNMISTAKABLE = frozenset({Entity.AADHAAR, Entity.PAN, Entity.EMAIL, Entity.CARD, Entity.IBAN, Entity.PHONE})


def _finding(
    tally: ColumnTally, detector: Detector, evidence: Evidence, confidence: float, also: tuple[Entity, ...]
) -> Finding:
    identifiability = detector.identifiability
    if detector.entity is Entity.FREE_TEXT and tally.embedded:
        identifiability = Identifiability.DIRECT
    return Finding(
        column=tally.name,
        entity=detector.entity,
        category=detector.category,
        identifiability=identifiability,
        confidence=round(confidence, 3),
        rows=tally.rows,
        non_null=tally.non_null,
        pattern_matches=evidence.pattern_matches,
        examined=evidence.examined,
        validated=evidence.validated,
        distinct_at_least=tally.distinct_at_least,
        context=evidence.context,
        embedded=MappingProxyType(dict(sorted(tally.embedded.items()))),
        also=also,
        reason=_reason(detector, evidence, tally),
    )


def _embedded_finding(tally: ColumnTally) -> Finding:
    share = max(tally.embedded.values()) / tally.non_null
    return _bare(
        tally,
        entity=Entity.FREE_TEXT,
        category=Category.PII,
        identifiability=Identifiability.DIRECT,
        confidence=round(min(0.98, 0.6 + share), 3),
        reason=f"longer values hold {_counted(tally)}",
    )


def _nothing(tally: ColumnTally) -> Finding:
    reason = "no detector found anything sensitive" if tally.non_null else "every cell is empty"
    return _bare(
        tally,
        entity=Entity.NONE,
        category=Category.INTERNAL,
        identifiability=Identifiability.NONE,
        confidence=0.0,
        reason=reason,
    )


def _bare(
    tally: ColumnTally,
    *,
    entity: Entity,
    category: Category,
    identifiability: Identifiability,
    confidence: float,
    reason: str,
) -> Finding:
    return Finding(
        column=tally.name,
        entity=entity,
        category=category,
        identifiability=identifiability,
        confidence=confidence,
        rows=tally.rows,
        non_null=tally.non_null,
        pattern_matches=0,
        examined=0,
        validated=0,
        distinct_at_least=tally.distinct_at_least,
        context=False,
        embedded=MappingProxyType(dict(sorted(tally.embedded.items()))),
        reason=reason,
    )


def _reason(detector: Detector, evidence: Evidence, tally: ColumnTally) -> str:
    if not evidence.non_null:
        return "every cell is empty; the column's name says so"
    parts = [f"{evidence.pattern_matches:,} of {evidence.non_null:,} cells have the shape"]
    if detector.validates:
        parts.append(f"{evidence.validated:,} of {evidence.examined:,} examined pass the check")
    if evidence.context:
        parts.append("the column's name says so")
    if tally.embedded:
        parts.append(f"longer values hold {_counted(tally)}")
    return "; ".join(parts)


def _counted(tally: ColumnTally) -> str:
    return ", ".join(f"{entity} in {count:,} cells" for entity, count in sorted(tally.embedded.items()))
