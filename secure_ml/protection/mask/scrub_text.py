"""scrub_text: free text with each identifier in it replaced by its kind ("<PHONE>").

Belongs here: spans of detectors and of the row itself, handed to presidio-anonymizer. Must stay out: detection.

It stays personal data: a remark can name a person without any identifier in it. So its label is not lowered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.text import find_spans
from secure_ml.protection.mask.own_identifiers import SearchedText
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated, count_unknown
from secure_ml.protection.parse import composed_text

if TYPE_CHECKING:
    from presidio_anonymizer import AnonymizerEngine
    from presidio_anonymizer.entities import RecognizerResult

_SURE = 1.0


@dataclass(frozen=True)
class ScrubText(ColumnTreatment):
    """Replaces what the detectors find, and what the row's other columns say of its person.

    Attributes:
        reader: how the column is read.
        identifying: the row's columns of direct identifiers, with their entities.
    """

    reader: ColumnReader
    identifying: Mapping[str, Entity]
    output_type: ClassVar[pa.DataType] = pa.string()

    @property
    def beside(self) -> tuple[str, ...]:
        """The columns of direct identifiers."""
        return tuple(self.identifying)

    def apply(self, column: pa.Array, *beside: pa.Array) -> Treated:
        """Treats each text once where the same text stands in many rows and holds nothing of any of them."""
        texts = self.reader.text(column)
        distinct = composed_text(texts).dictionary_encode()
        candidates = [_Candidate(text) for text in distinct.dictionary.to_pylist()]
        present = pc.is_valid(texts)
        rows = distinct.indices.filter(present).to_pylist()
        own = [composed_text(self.reader.text(c.filter(present))).to_pylist() for c in beside]
        scrubbed = [
            candidates[row].scrubbed(tuple(zip(self.identifying.values(), values, strict=True)))
            for row, *values in zip(rows, *own, strict=True)
        ]
        values = pc.replace_with_mask(texts, present, pa.array(scrubbed, pa.string()))
        return Treated(values, count_unknown(texts, self.reader.known(texts)))


class _Candidate:
    """One distinct text of a batch, with what was found in it whatever the row."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._searched = SearchedText(text)
        self._found = [_result(span.entity, span.start, span.end, span.score) for span in find_spans(text)]
        self._without_own = _replaced(text, self._found)

    def scrubbed(self, own: Sequence[tuple[Entity, str | None]]) -> str:
        spans = [
            _result(entity, start, end, _SURE)
            for entity, value in own
            if value
            for start, end in self._searched.find(value, entity)
        ]
        return _replaced(self._text, self._found + spans) if spans else self._without_own


def _result(entity: Entity, start: int, end: int, score: float) -> "RecognizerResult":
    from presidio_anonymizer.entities import RecognizerResult

    word = "IDENTIFIER" if entity is Entity.NONE else entity.value.upper()
    return RecognizerResult(word, start, end, score)


def _replaced(text: str, found: "list[RecognizerResult]") -> str:
    from presidio_anonymizer.entities import ConflictResolutionStrategy

    if not found:
        return text
    result = _engine().anonymize(
        text=text, analyzer_results=found, conflict_resolution=ConflictResolutionStrategy.REMOVE_INTERSECTIONS
    )
    return str(result.text)


@cache
def _engine() -> "AnonymizerEngine":
    from presidio_anonymizer import AnonymizerEngine

    return AnonymizerEngine()
