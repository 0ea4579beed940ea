"""Cut points for a column of numbers: round, evenly filled, and nobody's own value.

Belongs here: candidates near the quantiles, and the choice among them. Must stay out: who holds a value (holders).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from secure_ml.protection.draft.holders import FEWEST_PEOPLE
from secure_ml.protection.draft.people import Hashes

FEW_VALUES = 12
"""Up to so many different numbers, a column is cut at the numbers themselves."""

_LEVELS_OF_ROUNDNESS = 5

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class CutCandidates:
    """For each cut that is wanted, in ascending order, the numbers it may become, the best first.

    Attributes:
        numbers: the present numbers, ascending.
        people: the person of each.
        wanted: candidates for each cut.
    """

    numbers: Floats
    people: Hashes
    wanted: tuple[tuple[float, ...], ...]

    @property
    def values(self) -> frozenset[float]:
        """All candidates."""
        return frozenset(value for candidates in self.wanted for value in candidates)

    def choose(self, may_cut_at: Callable[[float], bool]) -> tuple[float, ...]:
        """Ascending cuts with at least `FEWEST_PEOPLE` people in each interval; none where there are too few.

        Args:
            may_cut_at: whether a candidate may be named.
        """
        chosen: list[float] = []
        for candidates in self.wanted:
            start = int(np.searchsorted(self.numbers, chosen[-1])) if chosen else 0
            for value in candidates:
                place = int(np.searchsorted(self.numbers, value))
                if may_cut_at(value) and self._enough(start, place) and self._enough(place, len(self.numbers)):
                    chosen.append(value)
                    break
        return tuple(chosen)

    def _enough(self, start: int, end: int) -> bool:
        return end > start and np.unique(self.people[start:end]).size >= FEWEST_PEOPLE


def cut_candidates(numbers: Floats, people: Hashes, *, intervals: int, multiple_of: float | None) -> CutCandidates:
    """Candidates for cuts that leave about equally many rows in each interval.

    A column of few different numbers is cut at these numbers themselves; another near its quantiles, at the roundest
    numbers that lie closer to this quantile than to the next.

    Args:
        numbers: present numbers, in any order.
        people: the person of each.
        intervals: how many are wanted.
        multiple_of: every cut is a multiple of it, so that earlier rounding to it changes no interval.
    """
    order = np.argsort(numbers, kind="stable")
    numbers, people = numbers[order], people[order]
    distinct = np.unique(numbers)
    if len(distinct) <= FEW_VALUES:
        return CutCandidates(numbers, people, tuple((float(value),) for value in distinct[1:]))
    steps = np.arange(1, intervals) / intervals
    middle, half = np.quantile(numbers, steps), 0.5 / intervals
    low, high = np.quantile(numbers, steps - half), np.quantile(numbers, steps + half)
    wanted = [
        tuple(round_numbers(float(a), float(q), float(b), multiple_of))
        for a, q, b in zip(low, middle, high, strict=True)
    ]
    return CutCandidates(numbers, people, tuple(wanted))


def plain(number: float) -> str:
    """A number as YAML reads it back: no exponent, no superfluous digit."""
    text = format(Decimal(repr(float(number))).normalize(), "f")
    return "0" if text in {"-0", "0"} else text


def halvings(cuts: tuple[float, ...]) -> tuple[tuple[float, ...], ...]:
    """The cuts, then every second of them, and so on down to one; each interval is a union of those before it."""
    found = [cuts] if cuts else []
    while found and len(found[-1]) > 1:
        found.append(found[-1][1::2])
    return tuple(found)


def round_numbers(low: float, target: float, high: float, multiple_of: float | None) -> Iterator[float]:
    """Numbers in (low, high], the roundest first, at each roundness the nearest to `target` first."""
    if high <= low:
        yield target if multiple_of is None else math.floor(target / multiple_of) * multiple_of
        return
    given = set[float]()
    for step in _steps(math.floor(math.log10(high - low))) if multiple_of is None else (multiple_of,):
        first, last = math.floor(low / step) + 1, math.floor(high / step)
        near = round(target / step)
        for k in {min(max(near + shift, first), last): None for shift in (0, 1, -1)}:
            value = float(f"{k * step:.12g}") + 0.0
            if low < value <= high and value not in given:
                given.add(value)
                yield value


def _steps(exponent: int) -> Iterator[float]:
    for lower in range(_LEVELS_OF_ROUNDNESS):
        for factor in (5, 2, 1) if lower else (1,):
            yield float(f"{factor}e{exponent - lower}")
