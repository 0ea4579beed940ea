"""Finds identifiers in a column of texts: what `text.find_spans` finds, and what a language model adds to it.

Belongs here: which pattern is asked about which text, so that RE2 rules most out at once. Must stay out: the patterns
(detectors), the dictionary rules (names), the model's own loading (spacy_model).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.protection.classify.candidates import could_find
from secure_ml.protection.classify.cells import fold
from secure_ml.protection.classify.makeup import Makeup, bounds_of, makeup_of
from secure_ml.protection.classify.names import find_names
from secure_ml.protection.classify.spacy_model import LanguageModel
from secure_ml.protection.classify.span import Span
from secure_ml.protection.classify.spelled import POSSIBLE, find_spelled
from secure_ml.protection.classify.text import TextPattern, find_broken, merged, text_patterns

_WORTH_COMPILING = 256
"""Texts from which on RE2, which compiles its expression anew each time, is faster than to search them all."""


@dataclass(frozen=True)
class TextSearch:
    """Searches texts.

    Attributes:
        model: finds names and places beside the dictionary; None for the dictionary alone.
    """

    model: LanguageModel | None = None

    def spans(self, texts: Sequence[str]) -> list[tuple[Span, ...]]:
        """Find what identifies a person in each text.

        Args:
            texts: each distinct text once; a text that stands twice is searched twice.

        Returns:
            For each text its spans, in order, without overlaps; positions are those of the text as it was given.
        """
        folded = [fold(text) for text in texts]
        found: list[list[Span]] = [[] for _ in folded]
        self._add_identifiers(folded, found)
        for text, spans in zip(folded, found, strict=True):
            spans += [*find_broken(text), *find_names(text)]
        if self.model is not None:
            for spans, named in zip(found, self.model.names(folded), strict=True):
                spans.extend(named)
        return [merged(spans) for spans in found]

    @staticmethod
    def _add_identifiers(folded: Sequence[str], found: Sequence[list[Span]]) -> None:
        array = pa.array(folded, pa.large_string())
        makeup = makeup_of(array)
        for pattern in text_patterns().values():
            for position in _candidates(array, makeup, pattern):
                found[position].extend(pattern.find(folded[position]))
        for position in np.flatnonzero(pc.match_substring_regex(array, POSSIBLE)).tolist():
            found[position].extend(find_spelled(folded[position]))


def _candidates(texts: pa.Array, makeup: Makeup, pattern: TextPattern) -> list[int]:
    """Positions of the texts that may hold a match: by what they are made of, then by RE2."""
    bounds = bounds_of(pattern.expression.pattern)
    # Folding leaves no digit of another script, so that this count holds for every text.
    positions = np.flatnonzero(bounds.admit_within(makeup) & (makeup.digits >= bounds.digits[0]))
    if len(positions) > _WORTH_COMPILING:
        positions = positions[could_find(texts.take(pa.array(positions)), pattern)]
    return list(positions.tolist())
