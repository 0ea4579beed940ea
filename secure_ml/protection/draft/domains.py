"""The values that a column's declaration may name: cuts and bounds of numbers, categories of texts, the day of an age.

Belongs here: candidates from the sample, and what is left of them once their holders are counted. Must stay out:
the words of the draft.
"""

from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnType
from secure_ml.policy.labels import Entity
from secure_ml.protection.draft.cuts import FEW_VALUES, CutCandidates, cut_candidates
from secure_ml.protection.draft.holders import Holders, Value, comparable
from secure_ml.protection.draft.naming import says_age
from secure_ml.protection.draft.people import Hashes
from secure_ml.protection.draft.roles import Assignment, Role
from secure_ml.protection.draft.tails import Tails, tails_of

MOST_CATEGORIES = 50
COVERED = 0.5
"""Share of the present cells that the named categories must hold; the rest would be one large `other`."""

_OTHERWISE = ("other", "all other", "none of these")
_GROUPS, _AGE_GROUPS = 4, 12
_BAND_YEARS = 5
_OLDEST_OF_PEOPLE = 120


@dataclass(frozen=True)
class Bounds:
    """What may be named of a column.

    Attributes:
        bins: cut points.
        categories: values, the most frequent first.
        complete: whether they name every value that there is.
        covered: share of the present cells that the categories hold.
        otherwise: a word for all other values.
        bottom: the lowest number that is left.
        top: the highest number that is left.
        stands_out: whether a tail is long, and no bound of it is nobody's own.
        at: the day on which ages are counted.
    """

    bins: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    complete: bool = False
    covered: float = 1.0
    otherwise: str | None = None
    bottom: float | None = None
    top: float | None = None
    stands_out: bool = False
    at: date | None = None


@dataclass(frozen=True, repr=False)
class Domain:
    """Candidates of one column.

    Attributes:
        column: its name.
        distinct: different values in the sample.
        cuts: candidates for cut points, for numbers and ages.
        tails: candidates for the bounds of numbers.
        texts: candidates for categories, with their share of the present cells, the most frequent first.
        at: candidate for the day of an age.
    """

    column: str
    distinct: int = 0
    cuts: CutCandidates | None = None
    tails: Tails | None = None
    texts: tuple[tuple[str, float], ...] = field(default=())
    at: date | None = None

    @property
    def values(self) -> frozenset[Value]:
        """All candidates."""
        found: set[Value] = set() if self.cuts is None else set(self.cuts.values)
        found |= set() if self.tails is None else {*(self.tails.bottom or ()), *(self.tails.top or ())}
        found |= {text for text, _ in self.texts} | (set(_OTHERWISE) if self.texts else set())
        return frozenset(found | ({self.at} if self.at is not None else set()))

    def settle(self, holders: Holders) -> Bounds:
        """What is left once rare values are taken out."""

        def free(value: Value) -> bool:
            return holders.is_nobodys_own(self.column, value)

        at = self.at if self.at is not None and free(self.at) else None
        bins = () if self.cuts is None or at is not self.at else self.cuts.choose(free)
        bottom, top = (None, None) if self.tails is None else self.tails.choose(free)
        named = [(text, share) for text, share in self.texts if holders.may_name(self.column, text)][:MOST_CATEGORIES]
        return Bounds(
            bins,
            tuple(text for text, _ in named),
            complete=self.distinct == (len(named) if self.texts else len(bins) + 1),
            covered=sum(share for _, share in named) if self.texts else 1.0,
            otherwise=next((word for word in _OTHERWISE if free(word)), None) if self.texts else None,
            bottom=bottom,
            top=top,
            stands_out=self.tails is not None
            and ((self.tails.bottom is not None and bottom is None) or (self.tails.top is not None and top is None)),
            at=at,
        )


def domain_of(
    assignment: Assignment, values: pa.Array, people: Hashes, *, intervals: int, born_by: date | None
) -> Domain:
    """Candidates for one column, from the sample.

    Args:
        assignment: what the column is.
        values: the sample's cells as the column's type.
        people: the person of each row of the sample.
        intervals: how many intervals a numeric feature should have.
        born_by: for a column of births, the day on which ages are counted.
    """
    name = assignment.column
    if assignment.role not in {Role.PROTECTED, Role.FEATURE}:
        return Domain(name)
    if assignment.type is ColumnType.DATE:
        return Domain(name) if born_by is None else _ages(name, values, people, born_by=born_by)
    if not assignment.numeric:
        return _texts(name, values)
    numbers = comparable(values)
    holders = people[np.asarray(numbers.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)]
    present = numbers.drop_null().to_numpy(zero_copy_only=False)
    if not present.size:
        return Domain(name)
    distinct, multiple_of = int(np.unique(present).size), None
    if assignment.role is Role.PROTECTED:
        intervals = _AGE_GROUPS
        if says_age(name) and present.min() >= 0 and present.max() <= _OLDEST_OF_PEOPLE:
            multiple_of = float(_BAND_YEARS)
    return Domain(
        name,
        distinct,
        cut_candidates(present, holders, intervals=intervals, multiple_of=multiple_of),
        tails_of(present, holders, whole=assignment.type is ColumnType.INTEGER) if _may_stay(assignment) else None,
    )


def _may_stay(assignment: Assignment) -> bool:
    """Whether its numbers may go further as they are, once their tails are cut off."""
    return assignment.role is Role.FEATURE and not assignment.known and assignment.entity is not Entity.INCOME


def _ages(name: str, births: pa.Array, people: Hashes, *, born_by: date) -> Domain:
    ages = comparable(births, born_by=born_by)
    holders = people[np.asarray(ages.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)]
    present = ages.drop_null().to_numpy(zero_copy_only=False)
    if np.unique(present).size <= FEW_VALUES:
        return Domain(name, at=born_by)
    cuts = cut_candidates(present, holders, intervals=_GROUPS, multiple_of=float(2 * _BAND_YEARS))
    return Domain(name, cuts=cuts, at=born_by)


def _texts(name: str, values: pa.Array) -> Domain:
    texts = comparable(values).drop_null()
    counted = pc.value_counts(texts)
    if not len(counted):
        return Domain(name)
    counts = counted.field("counts").to_numpy(zero_copy_only=False)
    best = np.argsort(-counts, kind="stable")[: 2 * MOST_CATEGORIES]
    names = counted.field("values").take(pa.array(best)).to_pylist()
    listed = tuple((text, float(counts[i] / len(texts))) for text, i in zip(names, best, strict=True))
    return Domain(name, len(counted), texts=listed)
