"""What the quasi-identifiers of `masked` may tell of a person.

Belongs here: the declaration, and which columns it is about. Must stay out: measuring (protection.anonymity).
"""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationError

from secure_ml.policy.columns import ColumnPolicy
from secure_ml.policy.labels import Entity, Identifiability
from secure_ml.policy.model import PolicyModel, fault
from secure_ml.policy.treatments import Leaves, Treatment


class Diversity(PolicyModel):
    """How many values of each sensitive column a class must hold, so that who is in it does not tell the value."""

    kind: Literal["distinct", "entropy"] = Field(
        description="What is counted: different values, or e to the entropy of their shares."
    )
    minimum: float = Field(gt=1, description="Smallest allowed l.")


class Anonymity(PolicyModel):
    """Classes are the people who share a combination of quasi-identifiers; sizes count subjects, not rows."""

    k: int = Field(ge=2, description="Subjects in the smallest allowed class.")
    quasi_identifiers: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Columns of `masked` that a stranger may know; by default all that are quasi-identifiers there.",
    )
    sensitive: tuple[str, ...] = Field(
        default=(), description="Columns of `masked` that membership of a class must not tell."
    )
    l_diversity: Diversity | None = Field(default=None, description="Bound on l-diversity of the sensitive columns.")
    t_closeness: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Largest allowed t: distance of a class's sensitive values from the table's.",
    )
    maximum_prosecutor_risk: float | None = Field(
        default=None, gt=0, le=1, description="Largest allowed risk of the person who is easiest to find."
    )
    maximum_marketer_risk: float | None = Field(
        default=None, gt=0, le=1, description="Largest allowed risk of a person taken at random."
    )
    suppress: bool = Field(
        default=False,
        description="Whether rare combinations become missing; then the privacy loss is stated for `masked` only, "
        "unless the model learns from none of the columns that do.",
    )
    suppressed_columns: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Quasi-identifiers that the rows of rare combinations lose; by default all. Where these are for "
        "fairness or review only, the privacy loss is that for `raw`.",
    )
    maximum_suppressed: float = Field(
        default=0.05, ge=0, lt=1, description="Largest allowed share of rows without what suppression takes."
    )
    ladders: Mapping[str, tuple[Treatment, ...]] = Field(
        default={}, description="Treatments of a quasi-identifier for the search, from least to most general."
    )

    @property
    def smallest_class(self) -> int:
        """Subjects that a class needs for k and for the highest risk."""
        risk = self.maximum_prosecutor_risk
        # A hair less, since one over a third is a hair above three.
        return self.k if risk is None else max(self.k, math.ceil(1 / risk - 1e-9))


def identifiability_in_masked(column: ColumnPolicy) -> Identifiability | None:
    """How far a column points to a person once it is treated; None where it does not get that far."""
    if column.treatment.kind == "drop":
        return None
    declared = Identifiability.DIRECT if column.entity is Entity.FREE_TEXT else column.identifiability
    match column.treatment.leaves:
        case Leaves.UNCHANGED:
            return declared
        case Leaves.QUASI_AT_MOST:
            return min(declared, Identifiability.QUASI, key=lambda level: level.rank)
        case Leaves.PSEUDONYM:
            return Identifiability.PSEUDONYM
        case Leaves.NOTHING:
            return Identifiability.NONE


def quasi_identifiers(anonymity: Anonymity, columns: Mapping[str, ColumnPolicy]) -> tuple[str, ...]:
    """The columns whose combination makes a class, in the policy's order."""
    if anonymity.quasi_identifiers is not None:
        return tuple(name for name in columns if name in anonymity.quasi_identifiers)
    left = {name: identifiability_in_masked(column) for name, column in columns.items()}
    return tuple(name for name, level in left.items() if level is Identifiability.QUASI)


def require_anonymity(anonymity: Anonymity, columns: Mapping[str, ColumnPolicy]) -> None:
    """Returns if the section fits the columns.

    Raises:
        PydanticCustomError: it does not; names the field.
    """
    for field, names in (
        ("quasi_identifiers", anonymity.quasi_identifiers or ()),
        ("sensitive", anonymity.sensitive),
        ("ladders", tuple(anonymity.ladders)),
    ):
        for name in names:
            if name not in columns:
                raise fault(f"anonymity.{field}", "names {column}, which is not among columns", column=repr(name))
    quasi = quasi_identifiers(anonymity, columns)
    if not quasi:
        raise fault("anonymity.quasi_identifiers", "no column of masked is a quasi-identifier: name those that are")
    for field, names in (("quasi_identifiers", quasi), ("sensitive", anonymity.sensitive)):
        for name in names:
            level = identifiability_in_masked(columns[name])
            if level is None or level.rank > Identifiability.QUASI.rank:
                raise fault(
                    f"anonymity.{field}",
                    "names {column}, which masked does not have, or holds as a pseudonym or a direct identifier",
                    column=repr(name),
                )
    for name in anonymity.suppressed_columns or ():
        if name not in quasi:
            raise fault("anonymity.suppressed_columns", "names {column}, no quasi-identifier", column=repr(name))
    if anonymity.suppressed_columns is not None and not anonymity.suppress:
        raise fault("anonymity.suppressed_columns", "says what suppress takes, and suppress is not asked for")
    if both := set(quasi) & set(anonymity.sensitive):
        raise fault("anonymity.sensitive", "names {column}, which is a quasi-identifier", column=repr(min(both)))
    if not anonymity.sensitive and (anonymity.l_diversity is not None or anonymity.t_closeness is not None):
        raise fault("anonymity.sensitive", "name the columns that l_diversity and t_closeness are about")
    for name, rungs in anonymity.ladders.items():
        _require_ladder(name, rungs, columns[name], quasi)


def _require_ladder(name: str, rungs: tuple[Treatment, ...], column: ColumnPolicy, quasi: tuple[str, ...]) -> None:
    field = f"anonymity.ladders.{name}"
    if name not in quasi or not rungs:
        raise fault(field, "a ladder has treatments, and is a quasi-identifier's")
    for place, rung in enumerate(rungs):
        declared = {**column.model_dump(), "treatment": rung.model_dump()}
        try:
            level = identifiability_in_masked(ColumnPolicy.model_validate(declared))
        except ValidationError:
            level = None
        if level is None or level.rank > Identifiability.QUASI.rank:
            raise fault(f"{field}.{place}", "this treatment does not leave the column a quasi-identifier at most")
