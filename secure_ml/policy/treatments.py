"""Treatments: what `masked` does to a column before anything else may see it.

Belongs here: the declaration of each treatment. Must stay out: how a treatment is carried out (protection.mask).
"""

import itertools
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from secure_ml.policy.model import PolicyModel


class Leaves(StrEnum):
    """What a treatment leaves of its column's label."""

    UNCHANGED = "unchanged"
    QUASI_AT_MOST = "quasi_at_most"
    PSEUDONYM = "pseudonym"
    NOTHING = "nothing"


class TreatmentModel(PolicyModel):
    """A treatment's declaration.

    Attributes:
        leaves: its effect on the label.
        reversible: whether a data steward can have the value back, one case at a time.
    """

    leaves: ClassVar[Leaves]
    reversible: ClassVar[bool] = False


class Keep(TreatmentModel):
    """The value as it is, parsed to the declared type."""

    leaves = Leaves.UNCHANGED
    kind: Literal["keep"]


class Drop(TreatmentModel):
    """The column does not exist in `masked`: the purpose does not need it."""

    leaves = Leaves.NOTHING
    kind: Literal["drop"]


class Redact(TreatmentModel):
    """Every present value becomes the same word, so that only its presence is left."""

    leaves = Leaves.NOTHING
    kind: Literal["redact"]


class PartialMask(TreatmentModel):
    """All characters but the last (or first) few become `*`; for a person who must recognise a record."""

    leaves = Leaves.QUASI_AT_MOST
    kind: Literal["partial_mask"]
    keep_first: int = Field(default=0, ge=0, le=4, description="Leading letters or digits left readable.")
    keep_last: int = Field(default=0, ge=0, le=4, description="Trailing letters or digits left readable.")

    @model_validator(mode="after")
    def _masks_most(self) -> "PartialMask":
        if self.keep_first + self.keep_last > 4:
            raise ValueError("keep_first and keep_last together may leave at most 4 characters readable")
        return self


class Token(TreatmentModel):
    """A keyed pseudonym: the same value gives the same token within the project, and none outside it."""

    leaves = Leaves.PSEUDONYM
    kind: Literal["token"]


class GeneraliseNumber(TreatmentModel):
    """The lower edge of the interval that holds the number."""

    leaves = Leaves.QUASI_AT_MOST
    kind: Literal["generalise_number"]
    step: float | None = Field(default=None, gt=0, description="Width of equal intervals that start at 0.")
    cuts: tuple[float, ...] | None = Field(
        default=None, min_length=1, description="Interval edges, strictly ascending; below the first is one interval."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> "GeneraliseNumber":
        if (self.step is None) == (self.cuts is None):
            raise ValueError("give either step or cuts")
        if self.cuts is not None and any(a >= b for a, b in itertools.pairwise(self.cuts)):
            raise ValueError("cuts must be strictly ascending")
        return self


class GeneraliseDate(TreatmentModel):
    """The year (integer), or the year and month ("YYYY-MM"), of a date."""

    leaves = Leaves.QUASI_AT_MOST
    kind: Literal["generalise_date"]
    to: Literal["year", "month"] = Field(description="The precision that is left.")


class GeneraliseGeography(TreatmentModel):
    """The leading characters of a postal code, which name a region."""

    leaves = Leaves.QUASI_AT_MOST
    kind: Literal["generalise_geography"]
    keep_first: int = Field(
        ge=1, le=4, description="Leading characters left; three of an Indian PIN code name a district."
    )


class ScrubText(TreatmentModel):
    """Free text with every identifier found in it replaced by its kind. It stays personal data."""

    leaves = Leaves.UNCHANGED
    kind: Literal["scrub_text"]


Treatment = Annotated[
    Keep | Drop | Redact | PartialMask | Token | GeneraliseNumber | GeneraliseDate | GeneraliseGeography | ScrubText,
    Field(discriminator="kind"),
]


class Feature(PolicyModel):
    """An input of the model. Private training needs its bins or categories declared, not read from the data."""

    kind: Literal["feature"]
    reason: str = Field(min_length=10, description="Why the purpose needs this column; shown on the model card.")
    bins: tuple[float, ...] | None = Field(
        default=None, min_length=1, max_length=200, description="Cut points of a numeric feature, strictly ascending."
    )
    categories: tuple[str, ...] | None = Field(
        default=None, min_length=1, max_length=200, description="Values of a categorical feature; any other is `other`."
    )
    bounds_from: Literal["steward", "data"] = Field(
        default="steward",
        description="Who chose bins or categories; `data` voids the differential-privacy guarantee; reports say so.",
    )

    @field_validator("bins")
    @classmethod
    def _ascending(cls, bins: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if bins is not None and any(a >= b for a, b in itertools.pairwise(bins)):
            raise ValueError("bins must be strictly ascending")
        return bins

    @model_validator(mode="after")
    def _not_both(self) -> "Feature":
        if self.bins is not None and self.categories is not None:
            raise ValueError("give bins (numeric) or categories (categorical), not both")
        if self.categories is not None and len(set(self.categories)) != len(self.categories):
            raise ValueError("categories must be distinct")
        return self


class Fairness(PolicyModel):
    """Never an input; read by `validated` only, to compare groups."""

    kind: Literal["fairness"]
    bins: tuple[float, ...] | None = Field(
        default=None, min_length=1, max_length=20, description="Cut points that make groups of a numeric attribute."
    )


class Review(PolicyModel):
    """Shown to a person who reviews one case; never an input."""

    kind: Literal["review"]


class Administrative(PolicyModel):
    """Used by the pipeline itself: subject key, label, consent, time. Never an input."""

    kind: Literal["administrative"]


class Never(PolicyModel):
    """Not used by anything after `masked`."""

    kind: Literal["never"]
    reason: str | None = Field(default=None, description="Why not, where it is not obvious.")


Use = Annotated[Feature | Fairness | Review | Administrative | Never, Field(discriminator="kind")]
