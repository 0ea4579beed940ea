"""A detector that the column's name alone sets off, since any value has its shape.

Belongs here: why it is never as sure as one that proves its entity. Must stay out: any single entity's pattern.
"""

from dataclasses import dataclass

from secure_ml.protection.classify.detector import Evidence
from secure_ml.protection.classify.pattern_detector import PatternDetector


@dataclass(frozen=True, kw_only=True)
class NameDetector(PatternDetector):
    """Implements ``Detector`` by data.

    A column that is called ``id`` and is full of card numbers holds card numbers: what check digits prove must win.

    Attributes:
        ceiling: Highest confidence; below that of every detector which proves its entity, above that of one whose
            shape is as often a number of something else.
    """

    ceiling: float = 0.84

    def confidence(self, evidence: Evidence) -> float:
        """Combine the evidence, up to the ceiling."""
        return min(self.ceiling, super().confidence(evidence))
