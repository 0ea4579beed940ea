"""A detector made of a weak pattern, a validation and context words.

Belongs here: how the three combine. Must stay out: any single entity's pattern.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import ceil, log, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.detector import Evidence
from secure_ml.protection.classify.makeup import Makeup, bounds_of

_CHANCE_ALLOWED = 0.002
_SIGMAS = 4.0
_BY_NAME_ALONE = 0.5
_TRACE = 0.45


@dataclass(frozen=True, kw_only=True)
class TextForm:
    """How an entity looks inside a longer text.

    Attributes:
        pattern: Regular expression of ``re``; boundaries are added.
        case_sensitive: Whether letters must have the pattern's case.
        score: Confidence in a match that was not validated; 0 drops such a match.
        validated_score: Confidence in a match that passed the detector's check.
        possible: Expression of ``re`` that a text holds wherever a match of the pattern passes the detector's check, if
            that tells more texts apart than the pattern does.
        before: Words that must stand shortly before the match to count it as certain.
    """

    pattern: str
    case_sensitive: bool = False
    score: float = 0.0
    validated_score: float = 0.95
    possible: str | None = None
    before: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PatternDetector:
    """Implements ``Detector`` by data.

    Attributes:
        pattern: RE2 expression that the whole cell has to match, case-insensitively. It is compiled for each batch:
            large repetitions of Unicode classes cost more than the matching.
        longest: Characters beyond which a cell is not of the shape.
        must_hold: Text that every cell of the shape holds; a column without it is not held against the pattern.
        check: Validation of a value of that shape; None if the shape is all there is.
        check_all: The same for an Arrow array of strings of that shape, without nulls, at once: a boolean for each,
            equal to ``check`` value by value. Where it is None, ``check`` is called for each value.
        chance: Share of unrelated values of that shape that pass ``check`` (0.1 for one check digit).
        context: Regular expressions of whole words in a column's name that speak of the entity.
        not_context: The same, for words that take the context away.
        contrary: The same, for words of things that have the shape too: under such a name cells alone prove nothing.
        kin: What values that were counted up share; so many different ones of these are asked for as chance demands.
        needs_context: Whether shape and validation prove nothing without the column's name.
        context_share: Share of cells of the shape that is enough when the name speaks of the entity.
        alone_share: Share of genuine cells that is enough without it.
        ceiling_alone: Highest confidence without context.
        traces: Whether even a few genuine cells are worth reporting, at low confidence.
        minimum_distinct_share: Share of distinct cells below which a column is not an identifier.
        alone_pattern_share: Share of cells that must have the shape for the genuine ones to prove anything without it.
        alone_distinct_share: Share of distinct cells below which cells alone prove nothing: they name a few kinds.
        alone_distinct: Different genuine cells that are needed without context, if there are so many cells.
        text: How it looks inside free text, if it is looked for there.
    """

    entity: Entity
    category: Category
    identifiability: Identifiability
    pattern: str
    context: tuple[str, ...]
    longest: int | None = None
    must_hold: str | None = None
    kinds: frozenset[Kind] = frozenset({Kind.TEXT, Kind.NUMBER})
    check: Callable[[str], bool] | None = None
    check_all: Callable[[Any], npt.NDArray[np.bool_]] | None = None
    chance: float = 0.0
    not_context: tuple[str, ...] = ()
    contrary: tuple[str, ...] = ()
    kin: Callable[[str], str] | None = None
    needs_context: bool = False
    context_share: float = 0.2
    alone_share: float = 0.05
    ceiling_alone: float = 0.98
    traces: bool = False
    minimum_distinct_share: float = 0.0
    alone_pattern_share: float = 0.0
    alone_distinct_share: float = 0.0
    alone_distinct: int = 1
    text: TextForm | None = None

    def could_match(self, makeup: Makeup) -> npt.NDArray[np.bool_]:
        """Say for each value, by what it is made of, whether it can have the shape."""
        return bounds_of(self.pattern).admit(makeup)

    def matches(self, values: Any) -> Any:
        """Say for each string whether the whole of it has the shape."""
        if self.must_hold is not None:
            holding = pc.match_substring(values, self.must_hold)
            if not pc.any(holding, min_count=0).as_py():
                return holding
        shaped = pc.match_substring_regex(values, rf"(?is)^(?:{self.pattern})$")
        return pc.and_(shaped, pc.less_equal(pc.utf8_length(values), self.longest)) if self.longest else shaped

    def kin_of(self, value: str) -> str:
        """What a value shares with those that were counted up with it; else the value."""
        return value if self.kin is None else self.kin(value)

    @property
    def validates(self) -> bool:
        """Whether there is a validation beyond the shape."""
        return self.check is not None

    def validate(self, value: str) -> bool:
        """Run the check; a value of the right shape passes where there is none."""
        return self.check is None or self.check(value)

    def validate_all(self, values: Any) -> npt.NDArray[np.bool_]:
        """Run the check over a ``pyarrow`` array of values that have the shape; a boolean for each."""
        if self.check_all is not None:
            return self.check_all(values)
        return np.fromiter(map(self.validate, values.to_pylist()), dtype=np.bool_, count=len(values))

    def in_context(self, words: str) -> bool:
        """Say whether the words of a column's name speak of the entity."""
        if not self.context or not _words_pattern(self.context).search(words):
            return False
        return not (self.not_context and _words_pattern(self.not_context).search(words))

    def contradicted(self, words: str) -> bool:
        """Say whether the words of a column's name speak of another thing of the same shape."""
        return bool(self.contrary and _words_pattern(self.contrary).search(words))

    def confidence(self, evidence: Evidence) -> float:
        """Combine the evidence.

        The genuine share is what remains of the validated share when those that pass by chance are taken off:
        with one check digit a tenth of any numbers pass, and a column of invoice numbers has none left.
        """
        if not evidence.non_null:
            return _BY_NAME_ALONE if evidence.context and not self.minimum_distinct_share else 0.0
        if evidence.distinct_share < self.minimum_distinct_share:
            return 0.0
        genuine = self._genuine_share(evidence)
        return max(self._with_context(evidence, genuine), self._alone(evidence, genuine))

    def _with_context(self, evidence: Evidence, genuine: float) -> float:
        if not evidence.context or evidence.pattern_share < self.context_share:
            return 0.0
        # A column that is called so and looks so is treated as such although its check digits fail: invented or
        # mistyped numbers are no reason to let it through.
        return 0.70 + 0.29 * max(genuine, evidence.pattern_share / 2)

    def _alone(self, evidence: Evidence, genuine: float) -> float:
        if self.needs_context or evidence.contrary or evidence.pattern_share < self.alone_pattern_share:
            return 0.0
        if evidence.distinct_share < self.alone_distinct_share:
            return 0.0
        if evidence.distinct_validated < self._distinct_needed(evidence.non_null):
            return 0.0
        if genuine >= self.alone_share:
            return min(self.ceiling_alone, 0.60 + 0.38 * genuine)
        return _TRACE if genuine > 0 and self.traces else 0.0

    def _genuine_share(self, evidence: Evidence) -> float:
        if not self.validates:
            return evidence.pattern_share
        if not self.chance or evidence.validated == evidence.examined:
            return evidence.pattern_share * evidence.validated_share
        certain = max(0.0, evidence.validated - most_by_chance(evidence.examined, self.chance))
        by_chance = self.chance * evidence.examined
        return evidence.pattern_share * certain / (evidence.examined - by_chance) if certain else 0.0

    def _distinct_needed(self, cells: int) -> int:
        by_chance = ceil(log(_CHANCE_ALLOWED) / log(self.chance)) if self.chance > 0 else 1
        return max(1, by_chance, min(self.alone_distinct, cells))


def most_by_chance(examined: int, chance: float) -> float:
    """How many of so many unrelated values pass a check at the most: what chance gives, and four times its spread."""
    return examined * chance + _SIGMAS * sqrt(examined * chance * (1 - chance))


@cache
def _words_pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![^ ])(?:{'|'.join(words)})(?![^ ])")
