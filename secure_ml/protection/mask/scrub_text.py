"""scrub_text: free text with each identifier in it replaced by its kind ("<PHONE>").

Belongs here: spans of the search and of the row itself, joined and handed to presidio-anonymizer. Must stay out:
detection.

It stays personal data: a remark can name a person without any identifier in it. So its label is not lowered, and
nothing may call it anonymous.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy import treatments
from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.span import Span
from secure_ml.protection.classify.text import merged
from secure_ml.protection.classify.text_search import TextSearch
from secure_ml.protection.mask.own_identifiers import SearchedText
from secure_ml.protection.mask.residual import is_suspect, residual_spans
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated, count_unknown
from secure_ml.protection.parse import composed_text

if TYPE_CHECKING:
    from presidio_anonymizer import AnonymizerEngine

_SURE = 1.0
_WORDS = {Entity.NONE: "IDENTIFIER", Entity.EMPLOYER: "ORGANISATION"}
"""Kinds that a text calls otherwise than a column does."""


@dataclass(frozen=True)
class ScrubText(ColumnTreatment):
    """Replaces what the search finds, and what the row's other columns say of its person.

    Attributes:
        reader: how the column is read.
        spec: the policy's declaration.
        identifying: the row's columns of direct identifiers, with their entities.
    """

    reader: ColumnReader
    spec: treatments.ScrubText
    identifying: Mapping[str, Entity]
    output_type: ClassVar[pa.DataType] = pa.string()

    @property
    def beside(self) -> tuple[str, ...]:
        """The columns of direct identifiers."""
        return tuple(self.identifying)

    def apply(self, column: pa.Array, *beside: pa.Array) -> Treated:
        """Treats each text once where the same text stands in many rows and holds nothing of any of them.

        Raises:
            LanguageModelUnusable: the policy names a model that is not installed.
        """
        texts = self.reader.text(column)
        distinct = composed_text(texts).dictionary_encode()
        originals = distinct.dictionary.to_pylist()
        candidates = [_Candidate(*both) for both in zip(originals, self._search.spans(originals), strict=True)]
        present = pc.is_valid(texts)
        rows = distinct.indices.filter(present).to_pylist()
        own = [composed_text(self.reader.text(c.filter(present))).to_pylist() for c in beside]
        scrubbed = [
            candidates[row].scrubbed(tuple(zip(self.identifying.values(), values, strict=True)))
            for row, *values in zip(rows, *own, strict=True)
        ]
        values = pc.replace_with_mask(texts, present, _searched_again(pa.array(scrubbed, pa.string())))
        return Treated(values, count_unknown(texts, self.reader.known(texts)))

    @property
    def _search(self) -> TextSearch:
        if self.spec.model is None:
            return TextSearch()
        from secure_ml.protection.classify.spacy_model import language_model

        return TextSearch(language_model(self.spec.model))


class _Candidate:
    """One distinct text of a batch, with what was found in it whatever the row."""

    def __init__(self, text: str, found: Sequence[Span]) -> None:
        self._text = text
        self._found = found

    @cached_property
    def _searched(self) -> SearchedText:
        return SearchedText(self._text)

    @cached_property
    def _without_own(self) -> str:
        return _replaced(self._text, self._found)

    def scrubbed(self, own: Iterable[tuple[Entity, str | None]]) -> str:
        spans = [
            Span(entity=entity, start=start, end=end, score=_SURE)
            for entity, value in own
            if value
            for start, end in self._searched.find(value, entity)
        ]
        return _replaced(self._text, merged([*self._found, *spans])) if spans else self._without_own


def _searched_again(texts: pa.Array) -> pa.Array:
    """The texts without what the check of masked rows would find in them.

    A word in the place of an identifier changes what stands before the next one: it may announce a number that was
    none before ("<PHONE> 12345", its last digits on another line), or bring a word near enough to do so.
    """
    suspect = pc.fill_null(is_suspect(texts), False)
    again = [_without_residue(text) for text in texts.filter(suspect).to_pylist()]
    return pc.replace_with_mask(texts, suspect, pa.array(again, pa.string()))


def _without_residue(text: str) -> str:
    # It ends: each turn takes digits or an @ away, and the words have none.
    while spans := residual_spans(text):
        text = _replaced(text, spans)
    return text


def _replaced(text: str, spans: Sequence[Span]) -> str:
    """The text with a word for each span; neighbouring spans of one kind become one word."""
    from presidio_anonymizer.entities import ConflictResolutionStrategy, RecognizerResult

    if not spans:
        return text
    found = [RecognizerResult(_WORDS.get(s.entity, s.entity.upper()), s.start, s.end, s.score) for s in spans]
    result = _engine().anonymize(
        text=text, analyzer_results=found, conflict_resolution=ConflictResolutionStrategy.REMOVE_INTERSECTIONS
    )
    return str(result.text)


@cache
def _engine() -> "AnonymizerEngine":
    from presidio_anonymizer import AnonymizerEngine

    return AnonymizerEngine()
