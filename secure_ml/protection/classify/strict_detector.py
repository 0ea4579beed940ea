"""A detector whose check most unrelated values of the shape pass too.

Belongs here: why nearly every cell of the shape has to pass. Must stay out: any single entity's pattern.
"""

from dataclasses import dataclass

from secure_ml.protection.classify.detector import Evidence
from secure_ml.protection.classify.pattern_detector import PatternDetector


@dataclass(frozen=True, kw_only=True)
class StrictDetector(PatternDetector):
    """Implements ``Detector`` by data.

    Cells of another shape are dirt and prove nothing; cells of the shape that fail the check are another thing's.

    Attributes:
        least_valid: Share of the cells of the shape that have to pass the check, unless the column's name speaks of
            the entity; above the share of unrelated ones that do.
    """

    least_valid: float

    def confidence(self, evidence: Evidence) -> float:
        """Combine the evidence; 0 where too many cells fail the check."""
        if not evidence.context and evidence.validated_share < self.least_valid:
            return 0.0
        return super().confidence(evidence)
