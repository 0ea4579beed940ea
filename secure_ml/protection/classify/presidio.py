"""Presidio-analyzer recognisers over our text patterns.

Belongs here: the adapter, imported only where presidio is used. Must stay out: patterns and checks of its own.
"""

from typing import Any

from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerResult

from secure_ml.protection.classify.cells import fold
from secure_ml.protection.classify.text import TextPattern


class TextPatternRecognizer(EntityRecognizer):  # type: ignore[misc]
    """Implements presidio's port by one ``TextPattern``; needs no language model and no network."""

    def __init__(self, pattern: TextPattern) -> None:
        self._pattern = pattern
        entity = pattern.detector.entity.value
        super().__init__(supported_entities=[entity], name=f"secure_ml_{entity}", context=list(pattern.form.before))

    def load(self) -> None:
        """Nothing to load."""

    def validate_result(self, pattern_text: str) -> bool:
        """Run the entity's check over a matched text."""
        return self._pattern.detector.validate(fold(pattern_text))

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        """Find the entity in ``text``, unless ``entities`` asks for others only."""
        if entities and not set(entities) & set(self.supported_entities):
            return []
        return [
            RecognizerResult(
                entity_type=span.entity.value,
                start=span.start,
                end=span.end,
                score=span.score,
                analysis_explanation=AnalysisExplanation(recognizer=self.name, original_score=span.score),
            )
            for span in self._pattern.find(fold(text))
        ]


def recognizer_of(pattern: TextPattern) -> EntityRecognizer:
    """Wrap one pattern."""
    return TextPatternRecognizer(pattern)
