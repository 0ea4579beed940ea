"""Finds identifiers in a column of texts: what `text.find_spans` finds, and what a language model adds to it.

Belongs here: which pattern is asked about which text, so that RE2 rules most out at once. Must stay out: the patterns
(detectors), the dictionary rules (names), the model's own loading (spacy_model).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from secure_ml.protection.classify.candidates import could_hold
from secure_ml.protection.classify.cells import fold
from secure_ml.protection.classify.names import find_names
from secure_ml.protection.classify.spacy_model import LanguageModel
from secure_ml.protection.classify.span import Span
from secure_ml.protection.classify.text import merged, on_one_line, text_patterns


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
        found = [find_names(text) for text in folded]
        self._add_identifiers(folded, found)
        if self.model is not None:
            for spans, named in zip(found, self.model.names(folded), strict=True):
                spans.extend(named)
        return [merged(spans) for spans in found]

    @staticmethod
    def _add_identifiers(folded: Sequence[str], found: Sequence[list[Span]]) -> None:
        lines = [on_one_line(text) for text in folded]
        array = pa.array(lines, pa.large_string())
        for pattern in text_patterns().values():
            for position in np.flatnonzero(could_hold(array, pattern.expression)).tolist():
                found[position].extend(pattern.find(lines[position]))
