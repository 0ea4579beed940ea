"""The stages of a project, what each may read, and which checks must pass before it is read.

Belongs here: the graph as data. Must stay out: what a stage does.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Stage(StrEnum):
    """One asset of a project; its key is environment/project/stage."""

    RAW = "raw"
    CLASSIFIED = "classified"
    MASKED = "masked"
    SPLIT = "split"
    TRAINED = "trained"
    VALIDATED = "validated"
    REGISTERED = "registered"


PARENTS: Mapping[Stage, tuple[Stage, ...]] = MappingProxyType(
    {
        Stage.RAW: (),
        Stage.CLASSIFIED: (Stage.RAW,),
        Stage.MASKED: (Stage.RAW, Stage.CLASSIFIED),
        Stage.SPLIT: (Stage.MASKED,),
        Stage.TRAINED: (Stage.SPLIT,),
        Stage.VALIDATED: (Stage.SPLIT, Stage.TRAINED),
        Stage.REGISTERED: (Stage.TRAINED, Stage.VALIDATED),
    }
)
"""What each stage reads; nothing else is ever opened for it."""

PARTITIONED = frozenset({Stage.RAW, Stage.CLASSIFIED, Stage.MASKED})
"""Stages that have one version for each partition of the source."""

PERIOD = "__period"
"""Column of `split` that names the partition a row came from."""

ONE_PIECE = "all"
"""Period of every row of a table without partitions."""

SIDE = "__side"
"""Column of `split` that names its side."""

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SIDES = (TRAIN, VALIDATION, TEST)
"""Sections of `split`, stored apart under keys of their own."""

WHOLE = ("data",)
"""The one section of any other stage."""

SECTIONS: Mapping[Stage, tuple[str, ...]] = MappingProxyType(
    {Stage.TRAINED: (TRAIN,), Stage.VALIDATED: (VALIDATION, TEST)}
)
"""Sides of `split` that a stage may open: a trainer that could open `test` would make its own evidence."""

CHECKS: Mapping[Stage, tuple[str, ...]] = MappingProxyType(
    {
        Stage.RAW: ("schema", "quality"),
        Stage.CLASSIFIED: ("no_undeclared_sensitive_column",),
        Stage.MASKED: ("minimisation", "no_residual_identifiers", "anonymity"),
        Stage.SPLIT: ("no_subject_on_two_sides", "no_duplicate_across_sides", "no_feature_gives_the_label_away"),
        Stage.TRAINED: ("privacy_is_accounted",),
        Stage.VALIDATED: ("performance", "calibration", "fairness"),
        Stage.REGISTERED: (),
    }
)
"""Checks of each stage. A version that lacks the verdict of one of them is refused to every reader."""
