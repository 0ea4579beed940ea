"""Bounds beyond which a column of numbers is cut off, because its extremes stand out.

Belongs here: when a tail is long, and candidates for its bound. Must stay out: who holds a value (holders).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from secure_ml.protection.draft.cuts import FEW_VALUES, Floats, round_numbers
from secure_ml.protection.draft.holders import FEWEST_PEOPLE
from secure_ml.protection.draft.people import Hashes

_SHARE, _LARGEST_SHARE = 0.01, 0.1
"""People beyond a bound: one in a hundred, or so many more that twenty people are among them."""


@dataclass(frozen=True, repr=False)
class Tails:
    """Candidates for the lowest and the highest number that are left, the best first; None where the tail is short.

    Attributes:
        lowest: each person's lowest number, ascending.
        highest: each person's highest number, ascending.
        bottom: candidates for the lower bound.
        top: candidates for the upper bound.
    """

    lowest: Floats
    highest: Floats
    bottom: tuple[float, ...] | None = None
    top: tuple[float, ...] | None = None

    def choose(self, is_nobodys_own: Callable[[float], bool]) -> tuple[float | None, float | None]:
        """Lower and upper bound with at least `FEWEST_PEOPLE` people at or beyond each; None where there is none."""
        low, high = self.lowest, self.highest
        bottom = (
            value for value in self.bottom or () if (low <= value).sum() >= FEWEST_PEOPLE and is_nobodys_own(value)
        )
        top = (value for value in self.top or () if (high >= value).sum() >= FEWEST_PEOPLE and is_nobodys_own(value))
        return next(bottom, None), next(top, None)


def tails_of(numbers: Floats, people: Hashes, *, whole: bool) -> Tails:
    """Candidates near the outermost hundredths of the people, each taken once with their own extreme.

    A tail is long where the numbers beyond its hundredth reach further than those between the median and it.

    Args:
        numbers: present numbers, at least one, in any order.
        people: the person of each.
        whole: whether a bound must be a whole number.
    """
    order = np.argsort(people, kind="stable")
    starts = np.unique(people[order], return_index=True)[1]
    lowest = np.sort(np.minimum.reduceat(numbers[order], starts))
    highest = np.sort(np.maximum.reduceat(numbers[order], starts))
    if len(np.unique(numbers)) <= FEW_VALUES:
        return Tails(lowest, highest)
    share = min(_LARGEST_SHARE, max(_SHARE, 2 * FEWEST_PEOPLE / len(starts)))
    low = _candidates(-lowest[::-1], share, whole=whole)
    bottom = None if low is None else tuple(-value + 0.0 for value in low)
    return Tails(lowest, highest, bottom, _candidates(highest, share, whole=whole))


def _candidates(numbers: Floats, share: float, *, whole: bool) -> tuple[float, ...] | None:
    """For the upper tail of ascending numbers."""
    median, inner, bound, outer = (
        float(q) for q in np.quantile(numbers, (0.5, 1 - 2 * share, 1 - share, 1 - share / 2))
    )
    if numbers[-1] - bound <= bound - median:
        return None
    found = round_numbers(inner, bound, outer, None)
    return tuple(value for value in found if not whole or value.is_integer())
