"""The values that a column's declaration may name: cuts of numbers, categories of texts, a step of rounding.

Belongs here: candidates from the sample, and what is left of them once their holders are counted. Must stay out:
the words of the draft.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnType
from secure_ml.policy.labels import Entity
from secure_ml.protection.draft.cuts import FEW_VALUES, CutCandidates, cut_candidates, power_of_ten_below
from secure_ml.protection.draft.holders import Holders, Value, comparable
from secure_ml.protection.draft.people import Hashes
from secure_ml.protection.draft.roles import Assignment, Role

MOST_CATEGORIES = 50
COVERED = 0.5
"""Share of the present cells that the named categories must hold; the rest would be one large `other`."""

_STEPS_A_SPREAD = 50
_GROUPS = 4


@dataclass(frozen=True)
class Bounds:
    """What may be named of a column.

    Attributes:
        bins: cut points.
        categories: values, sorted.
        step: width to which numbers are rounded.
        covered: share of the present cells that the categories hold.
    """

    bins: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    step: float | None = None
    covered: float = 1.0


@dataclass(frozen=True, repr=False)
class Domain:
    """Candidates of one column.

    Attributes:
        column: its name.
        cuts: candidates for cut points, for numbers and years.
        texts: candidates for categories, with their share of the present cells.
        steps: candidates for a step, the widest first.
    """

    column: str
    cuts: CutCandidates | None = None
    texts: tuple[tuple[str, float], ...] = ()
    steps: tuple[float, ...] = ()

    @property
    def values(self) -> frozenset[Value]:
        """All candidates."""
        numbers: frozenset[Value] = frozenset() if self.cuts is None else frozenset(self.cuts.values)
        return numbers | frozenset(self.steps) | frozenset(text for text, _ in self.texts)

    def settle(self, holders: Holders) -> Bounds:
        """What is left once rare values are taken out."""
        named = [(text, share) for text, share in self.texts if holders.may_name(self.column, text)][:MOST_CATEGORIES]
        bins = () if self.cuts is None else self.cuts.choose(lambda value: holders.may_cut_at(self.column, value))
        step = next((step for step in self.steps if holders.may_cut_at(self.column, step)), None)
        return Bounds(
            bins, tuple(sorted(t for t, _ in named)), step, sum(share for _, share in named) if self.texts else 1.0
        )


def domain_of(assignment: Assignment, values: pa.Array, people: Hashes, *, intervals: int) -> Domain:
    """Candidates for one column, from the sample.

    Args:
        assignment: what the column is.
        values: the sample's cells as the column's type.
        people: the person of each row of the sample.
        intervals: how many intervals a numeric feature should have.
    """
    name, role = assignment.column, assignment.role
    if role is Role.PROTECTED and (assignment.numeric or assignment.type is ColumnType.DATE):
        # A few codes are groups as they are; many numbers, and years, need cuts.
        many = int(pc.count_distinct(values).as_py()) > FEW_VALUES
        return _numbers(name, values, people, intervals=_GROUPS, rounded=False) if many else Domain(name)
    if role is not Role.FEATURE:
        return Domain(name)
    if assignment.numeric:
        return _numbers(name, values, people, intervals=intervals, rounded=assignment.entity is Entity.INCOME)
    return Domain(name, texts=_frequent(values)) if assignment.type is not ColumnType.DATE else Domain(name)


def _numbers(name: str, values: pa.Array, people: Hashes, *, intervals: int, rounded: bool) -> Domain:
    column = comparable(values)
    numbers = column.drop_null().to_numpy(zero_copy_only=False)
    if not numbers.size:
        return Domain(name)
    holders = people[np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)]
    low, high = np.quantile(numbers, (0.1, 0.9))
    steps: tuple[float, ...] = ()
    if rounded and high > low:
        widest = power_of_ten_below(float(high - low) / _STEPS_A_SPREAD)
        steps = (widest, widest / 10, widest / 100)
    multiple_of = steps[0] if steps else None
    return Domain(name, cut_candidates(numbers, holders, intervals=intervals, multiple_of=multiple_of), steps=steps)


def _frequent(values: pa.Array) -> tuple[tuple[str, float], ...]:
    texts = comparable(values).drop_null()
    counted = pc.value_counts(texts)
    if not len(counted):
        return ()
    counts = counted.field("counts").to_numpy(zero_copy_only=False)
    best = np.argsort(-counts, kind="stable")[: 2 * MOST_CATEGORIES]
    names = counted.field("values").take(pa.array(best)).to_pylist()
    return tuple((name, float(counts[i] / len(texts))) for name, i in zip(names, best, strict=True))
