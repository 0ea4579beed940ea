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
"""Rows beyond a bound: one in a hundred, or so many more that twenty people are among them."""


@dataclass(frozen=True, repr=False)
class Tails:
    """Candidates for the lowest and the highest number that are left, the best first; none where no tail is long.

    Attributes:
        numbers: the present numbers, ascending.
        people: the person of each.
        bottom: candidates for the lower bound.
        top: candidates for the upper bound.
    """

    numbers: Floats
    people: Hashes
    bottom: tuple[float, ...] = ()
    top: tuple[float, ...] = ()

    def choose(self, is_nobodys_own: Callable[[float], bool]) -> tuple[float | None, float | None]:
        """Lower and upper bound with at least `FEWEST_PEOPLE` people at or beyond each; None where none is needed."""
        bottom = next((b for b in self.bottom if is_nobodys_own(b) and self._enough(self.numbers <= b)), None)
        top = next((t for t in self.top if is_nobodys_own(t) and self._enough(self.numbers >= t)), None)
        return bottom, top

    def _enough(self, beyond: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bool:
        return np.unique(self.people[beyond]).size >= FEWEST_PEOPLE


def tails_of(numbers: Floats, people: Hashes, *, whole: bool) -> Tails:
    """Candidates near the outermost hundredths.

    A tail is long where the numbers beyond its hundredth reach further than those between the median and it.

    Args:
        numbers: present numbers, in any order.
        people: the person of each.
        whole: whether a bound must be a whole number.
    """
    order = np.argsort(numbers, kind="stable")
    numbers, people = numbers[order], people[order]
    if len(np.unique(numbers)) <= FEW_VALUES:
        return Tails(numbers, people)
    share = min(_LARGEST_SHARE, max(_SHARE, 2 * FEWEST_PEOPLE / np.unique(people).size))
    high = _candidates(numbers, share, whole=whole)
    low = tuple(-value + 0.0 for value in _candidates(-numbers[::-1], share, whole=whole))
    return Tails(numbers, people, bottom=low, top=high)


def _candidates(numbers: Floats, share: float, *, whole: bool) -> tuple[float, ...]:
    """For the upper tail of ascending numbers."""
    median, inner, bound, outer = np.quantile(numbers, (0.5, 1 - 2 * share, 1 - share, 1 - share / 2))
    if numbers[-1] - bound <= bound - median:
        return ()
    found = round_numbers(float(inner), float(bound), float(outer), None)
    return tuple(value for value in found if not whole or value.is_integer())
