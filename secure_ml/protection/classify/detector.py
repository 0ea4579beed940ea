"""The port that every detector fills, and the evidence it judges.

Belongs here: what the classifier asks of a detector. Must stay out: any single entity's pattern.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.makeup import Makeup


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a whole column showed one detector, in counts of cells.

    Attributes:
        non_null: Cells that hold something.
        pattern_matches: Cells that have the detector's shape.
        examined: Cells of that shape whose validation was computed; all of them.
        validated: Examined cells that passed.
        distinct_validated: Different validated values seen, or what they share with their like, up to a small bound.
        distinct_share: Distinct values within a block of rows over cells; 1.0 for a key.
        context: Whether the column's name speaks of the entity.
        contrary: Whether it speaks of another thing of the same shape.
    """

    non_null: int
    pattern_matches: int
    examined: int
    validated: int
    distinct_validated: int
    distinct_share: float
    context: bool
    contrary: bool = False

    @property
    def pattern_share(self) -> float:
        """Share of non-null cells that have the shape."""
        return self.pattern_matches / self.non_null if self.non_null else 0.0

    @property
    def validated_share(self) -> float:
        """Share of examined cells that passed validation."""
        return self.validated / self.examined if self.examined else 0.0


class Detector(Protocol):
    """Recognises one entity in a column: by shape, by validation, and by the column's name."""

    @property
    def entity(self) -> Entity:
        """What is found."""

    @property
    def category(self) -> Category:
        """The category that a column with this entity belongs to."""

    @property
    def identifiability(self) -> Identifiability:
        """How far such a value points to one person."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """Types of column it looks into."""

    def could_match(self, makeup: Makeup) -> npt.NDArray[np.bool_]:
        """Say for each value, by what it is made of, whether ``matches`` has to be asked; it denies all the others."""

    def matches(self, values: Any) -> Any:
        """Say for each string of a ``pyarrow`` array whether the whole of it has the shape (a boolean array)."""

    @property
    def validates(self) -> bool:
        """Whether ``validate`` decides anything beyond the shape."""

    def validate(self, value: str) -> bool:
        """Check one value that has the shape: check digits, known prefixes, known words."""

    def validate_all(self, values: Any) -> npt.NDArray[np.bool_]:
        """Check every value of a ``pyarrow`` array that has the shape; equals ``validate`` value by value."""

    def kin_of(self, value: str) -> str:
        """What a value shares with those that were counted up with it; else the value."""

    def in_context(self, words: str) -> bool:
        """Say whether a column's name, as ``words_of`` writes it, speaks of the entity."""

    def contradicted(self, words: str) -> bool:
        """Say whether a column's name speaks of another thing of the same shape."""

    def confidence(self, evidence: Evidence) -> float:
        """Combine shape, validation and context into 0..1; 0 when the entity is not there."""
