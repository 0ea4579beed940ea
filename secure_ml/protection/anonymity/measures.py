"""What classes let a stranger infer: k-anonymity, l-diversity, t-closeness, and the risk of being found.

Belongs here: the measures, as their authors define them. Must stay out: bounds on them (judgement).

k-anonymity: Sweeney 2002. l-diversity, distinct and entropy: Machanavajjhala et al. 2007. t-closeness: Li, Li and
Venkatasubramanian 2007, with the ordered distance for numbers and the equal distance for categories. Prosecutor,
journalist and marketer risk: El Emam and Dankar 2008.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from secure_ml.protection.anonymity.counting import Classes, Distribution, Integers

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Risks:
    """Probability that a stranger names the right person.

    Attributes:
        prosecutor: for the person who is easiest to find, by somebody who knows that they are in the table: one over
            the smallest class.
        journalist: the same by somebody who does not know that. No population is known here, so the table stands for
            it, and the figure is the prosecutor's: the real one is not larger.
        marketer: for a person taken at random, by somebody who tries all: classes over subjects.
    """

    prosecutor: float
    journalist: float
    marketer: float


def k_anonymity(classes: Classes) -> int:
    """Subjects in the smallest class; 0 for an empty table."""
    return int(classes.subjects.min(initial=np.iinfo(np.int64).max)) if len(classes.subjects) else 0


def risks(classes: Classes) -> Risks:
    """The three risks; 0 for an empty table."""
    if not len(classes.subjects):
        return Risks(0.0, 0.0, 0.0)
    highest = 1 / k_anonymity(classes)
    return Risks(highest, highest, len(classes.subjects) / int(classes.subjects.sum()))


def distinct_diversity(distribution: Distribution, classes: int) -> Floats:
    """(classes,) distinct l-diversity: how many values each class has."""
    return np.bincount(distribution.of_class, minlength=classes).astype(np.float64)


def entropy_diversity(distribution: Distribution, classes: int) -> Floats:
    """(classes,) entropy l-diversity: e to the entropy of the values, so that l equally frequent ones give l."""
    share = _shares(distribution, classes)
    return np.exp(np.bincount(distribution.of_class, weights=-share * np.log(share), minlength=classes))


def closeness(distribution: Distribution, classes: int) -> Floats:
    """(classes,) t: distance of each class's values from the whole table's, 0 for the same and at most 1.

    The earth mover's distance over ranks for numbers, the total variation for categories. A missing number lies nowhere
    among the others, and is as far from each as the lowest is from the highest; of the ways to move it the distance
    takes one that need not be the shortest, so that it is never too small.
    """
    overall = np.bincount(distribution.value, weights=distribution.subjects)
    overall = overall / overall.sum()
    share = _shares(distribution, classes)
    if distribution.ordered and distribution.missing:
        return _distance_with_missing(distribution, share, overall, classes)
    if distribution.ordered:
        return _ordered_distance(distribution, share, overall, classes)
    here = overall[distribution.value]
    # Values that a class lacks add their whole share.
    unlike = np.bincount(distribution.of_class, weights=np.abs(share - here) - here, minlength=classes)
    return np.clip((unlike + 1) / 2, 0, 1)


def _shares(distribution: Distribution, classes: int) -> Floats:
    """(entries,) share of each value in its class."""
    totals = np.bincount(distribution.of_class, weights=distribution.subjects, minlength=classes)
    return distribution.subjects / totals[distribution.of_class]


def _distance_with_missing(distribution: Distribution, share: Floats, overall: Floats, classes: int) -> Floats:
    """What both hold of numbers is moved among them, and the rest of one to the missing of the other."""
    held = distribution.value > 0
    numbers = replace(
        distribution,
        missing=False,
        of_class=distribution.of_class[held],
        value=distribution.value[held] - 1,
        subjects=distribution.subjects[held],
    )
    here, there = np.bincount(numbers.of_class, weights=share[held], minlength=classes), 1 - overall[0]
    apart = _ordered_distance(numbers, _shares(numbers, classes), overall[1:] / there, classes) if there else 0.0
    distance: Floats = np.clip(np.minimum(here, there) * apart + np.abs(here - there), 0, 1)
    return distance


def _ordered_distance(distribution: Distribution, share: Floats, overall: Floats, classes: int) -> Floats:
    """The mean distance of the two cumulative distributions over all ranks but the last.

    A class's own one is constant between two of its values, and the table's rises: where they cross is found by
    bisection, so that the cost is that of the entries and not of classes times values.
    """
    ranks = len(overall)
    if ranks < 2:
        return np.zeros(classes)
    table = np.cumsum(overall)
    areas = np.concatenate([[0.0], np.cumsum(table)])
    running = np.cumsum(share)
    first = np.searchsorted(distribution.of_class, distribution.of_class)
    level = running - np.concatenate([[0.0], running])[first]
    starts = distribution.value
    ends = np.append(starts[1:], 0)
    last = np.append(distribution.of_class[1:] != distribution.of_class[:-1], True)
    ends = np.minimum(np.where(last, ranks, ends), ranks - 1)
    starts = np.minimum(starts, ranks - 1)
    crossing = np.clip(np.searchsorted(table, level), starts, ends)
    below = level * (crossing - starts) - (areas[crossing] - areas[starts])
    above = (areas[ends] - areas[crossing]) - level * (ends - crossing)
    # Before its first value a class's cumulative share is 0.
    leading = np.zeros(classes)
    opening = first == np.arange(len(first))
    leading[distribution.of_class[opening]] = areas[starts[opening]]
    distance = leading + np.bincount(distribution.of_class, weights=below + above, minlength=classes)
    return np.clip(distance / (ranks - 1), 0, 1)


def sizes(classes: Classes, edges: Integers) -> tuple[Integers, Integers]:
    """How many classes, and how many subjects in them, have a size from each edge up to the next.

    Args:
        classes: the classes.
        edges: (ranges,) ascending, from 1 on; the last range is open.
    """
    of_range = np.searchsorted(edges, classes.subjects, side="right") - 1
    count = np.bincount(of_range, minlength=len(edges)).astype(np.int64)
    return count, np.bincount(of_range, weights=classes.subjects, minlength=len(edges)).astype(np.int64)
