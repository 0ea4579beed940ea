"""Classes against what the policy asks for.

Belongs here: bounds on the measures, for the check, for suppression and for the search alike. Must stay out: counting.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from secure_ml.policy.anonymity import Anonymity
from secure_ml.protection.anonymity.counting import Classes
from secure_ml.protection.anonymity.measures import (
    Floats,
    Risks,
    closeness,
    distinct_diversity,
    entropy_diversity,
    k_anonymity,
    risks,
)

Booleans = npt.NDArray[np.bool_]

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Measured:
    """What the classes of a table reach. Figures only.

    Attributes:
        classes: how many there are.
        subjects: subjects in them; one who is in several counts in each.
        k: subjects in the smallest class.
        risks: of being found.
        diversity: smallest l by sensitive column, as the policy counts it.
        distance: largest t by sensitive column.
        suppressed: share of rows in which all quasi-identifiers are missing that suppression takes.
    """

    classes: int
    subjects: int
    k: int
    risks: Risks
    diversity: Mapping[str, float]
    distance: Mapping[str, float]
    suppressed: float

    def faults(self, asked: Anonymity) -> tuple[str, ...]:
        """What is not as the policy asks, in words with figures; empty where all is. An empty table lacks nothing."""
        if not self.classes:
            return ()
        found = []
        if self.k < asked.k:
            found.append(f"a combination of quasi-identifiers is shared by {self.k} subjects only, k is {asked.k}")
        found += [
            f"a class tells {name}: l is {value:.3g}, the policy asks for {asked.l_diversity.minimum:g}"
            for name, value in self.diversity.items()
            if asked.l_diversity is not None and value < asked.l_diversity.minimum - _TOLERANCE
        ]
        found += [
            f"a class differs from the table in {name}: t is {value:.3g}, the policy allows {asked.t_closeness:g}"
            for name, value in self.distance.items()
            if asked.t_closeness is not None and value > asked.t_closeness + _TOLERANCE
        ]
        for name, value, bound in (
            ("prosecutor", self.risks.prosecutor, asked.maximum_prosecutor_risk),
            ("marketer", self.risks.marketer, asked.maximum_marketer_risk),
        ):
            if bound is not None and value > bound + _TOLERANCE:
                found.append(f"the {name} risk is {value:.3g}, the policy allows {bound:g}")
        if asked.suppress and self.suppressed > asked.maximum_suppressed + _TOLERANCE:
            found.append(
                f"{self.suppressed:.1%} of the rows are without quasi-identifiers, the policy allows "
                f"{asked.maximum_suppressed:.1%}"
            )
        return tuple(found)


def measure(classes: Classes, asked: Anonymity) -> Measured:
    """What the classes reach.

    Args:
        classes: of a table.
        asked: says how diversity is counted.
    """
    count = len(classes.subjects)
    rows = int(classes.rows.sum())
    diversity, distance = _by_class(classes, asked) if count else ({}, {})
    return Measured(
        classes=count,
        subjects=int(classes.subjects.sum()),
        k=k_anonymity(classes),
        risks=risks(classes),
        diversity=MappingProxyType({name: float(found.min()) for name, found in diversity.items()}),
        distance=MappingProxyType({name: float(found.max()) for name, found in distance.items()}),
        suppressed=int(classes.rows[classes.emptied].sum()) / rows if rows else 0.0,
    )


def falls_short(classes: Classes, asked: Anonymity) -> Booleans:
    """(classes,) which are smaller, less diverse or further from the table than the policy allows."""
    short: Booleans = classes.subjects < asked.smallest_class
    diversity, distance = _by_class(classes, asked)
    if asked.l_diversity is not None:
        for values in diversity.values():
            short = short | (values < asked.l_diversity.minimum - _TOLERANCE)
    if asked.t_closeness is not None:
        for values in distance.values():
            short = short | (values > asked.t_closeness + _TOLERANCE)
    return short


def _by_class(classes: Classes, asked: Anonymity) -> tuple[dict[str, Floats], dict[str, Floats]]:
    count = len(classes.subjects)
    entropy = asked.l_diversity is not None and asked.l_diversity.kind == "entropy"
    diversity_of = entropy_diversity if entropy else distinct_diversity
    spread = classes.distributions
    return (
        {name: diversity_of(distribution, count) for name, distribution in spread.items()},
        {name: closeness(distribution, count) for name, distribution in spread.items()},
    )
