"""Which classes are suppressed so that what is left meets the policy, also among those that were suppressed.

Belongs here: that choice. Must stay out: emptying cells (mask.suppress).

A row whose quasi-identifiers are missing says of its person that their combination was rare. So the suppressed rows are
a class like any other, with those that had nothing to begin with: where it falls short, the smallest of the other
classes join it until it does not (Hundepool et al. 2012, ch. 4, on complementary suppression). Where suppression leaves
some of the quasi-identifiers, there is one such class for each combination of these.
"""

from dataclasses import dataclass

import numpy as np

from secure_ml.policy.anonymity import Anonymity
from secure_ml.protection.anonymity.counting import Classes, Integers, classes_of
from secure_ml.protection.anonymity.errors import AnonymityError
from secure_ml.protection.anonymity.judgement import Booleans, falls_short


@dataclass(frozen=True, eq=False)
class Suppression:
    """What is to be suppressed.

    Attributes:
        classes: (classes,) numbers of the classes that are.
        share: of all rows, how many then are without what is taken, those included that were so before.
    """

    classes: Integers
    share: float


def choose_suppressed(classes: Classes, asked: Anonymity) -> Suppression:
    """Every class that falls short; with them, smallest first, as many others as the suppressed ones need together.

    These are added one, two, four and so on at a time, so that a large table is not measured for each.

    Raises:
        AnonymityError: more than the allowed share of the rows would be suppressed, or all people who share what
            suppression leaves fall short together.
    """
    before = classes.emptied
    chosen = falls_short(classes, asked)
    if not chosen.any():
        return Suppression(np.empty(0, np.int64), _share(classes, before))
    chosen |= before
    smallest_first = np.argsort(classes.subjects, kind="stable")
    added = 1
    while True:
        share = _share(classes, chosen)
        if share > asked.maximum_suppressed:
            raise AnonymityError(
                f"{share:.1%} of the rows would be without quasi-identifiers, the policy allows "
                f"{asked.maximum_suppressed:.1%}"
            )
        short = _kept_that_fall_short(classes, chosen, asked)
        if not len(short):
            return Suppression(np.flatnonzero(chosen & ~before), share)
        others = smallest_first[~chosen[smallest_first]]
        for kept in short:
            joining = others[classes.kept[others] == kept][:added]
            if not len(joining):
                raise AnonymityError(
                    "people who share what suppression leaves are too few, or too alike: generalise those columns "
                    "further, or name them among suppressed_columns"
                )
            chosen[joining] = True
        added *= 2


def _kept_that_fall_short(classes: Classes, chosen: Booleans, asked: Anonymity) -> Integers:
    """The numbers of what suppression leaves whose chosen classes fall short as one."""
    number = np.where(chosen, classes.kept + 1, 0)
    count = int(classes.kept.max()) + 2
    together = classes_of(
        classes.members,
        number[classes.of_member],
        kept=np.arange(count),
        emptied=np.zeros(count, np.bool_),
    )
    present = np.unique(classes.kept[chosen])
    return present[falls_short(together, asked)[present + 1]]


def _share(classes: Classes, chosen: Booleans) -> float:
    rows = int(classes.rows.sum())
    return int(classes.rows[chosen].sum()) / rows if rows else 0.0
