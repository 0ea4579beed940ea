"""Treatments: what `masked` does to a column before anything else may see it.

Belongs here: the declaration of each treatment. Must stay out: how a treatment is carried out (protection.mask).
"""

import itertools
import math
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, cast, get_args

from pydantic import Field, field_validator, model_validator

from secure_ml.policy.labels import Entity
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
    algorithm: Literal["aes_cmac", "hmac_sha256"] = Field(
        default="aes_cmac", description="What makes it; columns that are joined have the same."
    )


class FormatPreserving(TreatmentModel):
    """The value encrypted to another of the same form (FF1): digits stay digits, letters stay letters of their case."""

    leaves = Leaves.PSEUDONYM
    reversible = True
    kind: Literal["format_preserving"]
    alphabet: str | None = Field(
        default=None,
        min_length=2,
        max_length=65_536,
        description="Characters that are encrypted among each other, whatever their kind; "
        "a value with another letter or digit is unknown.",
    )
    check_digit: Literal["broken", "valid"] = Field(
        default="broken", description="`valid` makes numbers that somebody may have; `broken` ones belong to nobody."
    )

    @field_validator("alphabet")
    @classmethod
    def _distinct(cls, alphabet: str | None) -> str | None:
        if alphabet is not None and len(set(alphabet)) != len(alphabet):
            raise ValueError("the characters of an alphabet must be distinct")
        return alphabet


class DeterministicEncryption(TreatmentModel):
    """The value encrypted and authenticated (AES-SIV); the same value gives the same text within the project."""

    leaves = Leaves.PSEUDONYM
    reversible = True
    kind: Literal["deterministic_encryption"]


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
        if not all(math.isfinite(number) for number in (self.step or 0.0, *(self.cuts or ()))):
            raise ValueError("step and cuts are finite numbers")
        if self.cuts is not None and any(a >= b for a, b in itertools.pairwise(self.cuts)):
            raise ValueError("cuts must be strictly ascending")
        return self


class GeneraliseDate(TreatmentModel):
    """The period that a date lies in, or the age of somebody born on it.

    Years and ages are integers; a quarter is written "2024-Q1", a month "2024-02", an ISO 8601 week "2024-W09".
    """

    leaves = Leaves.QUASI_AT_MOST
    kind: Literal["generalise_date"]
    to: Literal["year", "quarter", "month", "week", "age"] = Field(description="The precision that is left.")
    at: date | None = Field(default=None, description="For `age`: the day on which the completed years are counted.")
    oldest: int = Field(
        default=90, ge=1, le=120, description="For `age`: everybody of this age and above is given this age."
    )
    step: int = Field(default=1, ge=1, le=60, description="For `age`: width of its bands, named by their first age.")

    @model_validator(mode="after")
    def _age_at_a_day(self) -> "GeneraliseDate":
        if (self.to == "age") != (self.at is not None):
            raise ValueError("`at` is given for `to: age`, and for nothing else")
        if self.to != "age" and self.step != 1:
            raise ValueError("`step` is given for `to: age` only")
        return self


class GeneraliseGeography(TreatmentModel):
    """The part of a postal code that names a region, or a coordinate with few decimals."""

    leaves = Leaves.QUASI_AT_MOST
    kind: Literal["generalise_geography"]
    keep_first: int | None = Field(
        default=None,
        ge=1,
        le=4,
        description="Leading characters left; three of an Indian PIN code name a district.",
    )
    drop_last: int | None = Field(
        default=None,
        ge=1,
        le=6,
        description="Trailing characters taken away, for codes whose region varies in length: three of a British one.",
    )
    decimals: int | None = Field(
        default=None,
        ge=0,
        le=2,
        description="Decimals left of coordinates in degrees: 0 is 111 km, 1 is 11 km, 2 is 1 km.",
    )
    regions: Mapping[str, tuple[Annotated[str, Field(pattern=r"^[0-9A-Z]{1,4}$")], ...]] | None = Field(
        default=None,
        min_length=1,
        description="Each region with the first characters of its codes; the longest that fits decides.",
    )

    @model_validator(mode="after")
    def _one_of_four(self) -> "GeneraliseGeography":
        if [self.keep_first, self.drop_last, self.decimals, self.regions].count(None) != 3:
            raise ValueError("give one of keep_first, drop_last, decimals and regions")
        return self

    @field_validator("regions")
    @classmethod
    def _one_region_each(cls, regions: Mapping[str, tuple[str, ...]] | None) -> Mapping[str, tuple[str, ...]] | None:
        starts = [start for starts in (regions or {}).values() for start in starts]
        if regions is not None and not all(regions.values()):
            raise ValueError("a region has at least one first character of a code")
        if len(set(starts)) != len(starts):
            raise ValueError("the same first characters stand in one region only")
        return regions


class GeneraliseCategory(TreatmentModel):
    """The group that a value belongs to."""

    leaves = Leaves.QUASI_AT_MOST
    kind: Literal["generalise_category"]
    groups: Mapping[str, tuple[str, ...]] = Field(
        default={},
        description="Each group with its values; a value that is a group's name stands for that group, so that groups "
        "have groups.",
    )
    stay: tuple[str, ...] = Field(default=(), description="Values that many people share, and that stay as they are.")
    level: int = Field(default=1, ge=1, description="How many steps up from the value; the top is never passed.")
    otherwise: str | None = Field(
        default=None,
        min_length=1,
        description="The word for a value that is in no group; without one its cell becomes empty. Counted either way.",
    )

    @field_validator("groups")
    @classmethod
    def _one_group_each(cls, groups: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        members = [member for members in groups.values() for member in members]
        if not all(groups.values()):
            raise ValueError("a group has at least one value")
        if len(set(members)) != len(members):
            raise ValueError("a value, or a group, stands in one group only")
        above = {member: name for name, members in groups.items() for member in members}
        for name in groups:
            passed = {name}
            while (name := above.get(name, "")) in groups:
                if name in passed:
                    raise ValueError("a group cannot be among its own groups")
                passed.add(name)
        return groups

    @model_validator(mode="after")
    def _each_value_once(self) -> "GeneraliseCategory":
        if not self.groups and not self.stay:
            raise ValueError("give groups, or values that stay")
        above = {member for members in self.groups.values() for member in members}
        if len(set(self.stay)) != len(self.stay) or above & set(self.stay):
            raise ValueError("a value stays, or stands in one group")
        return self

    def group_of(self) -> dict[str, str]:
        """The group of each value, `level` steps up; a value that stays is its own."""
        above = {member: name for name, members in self.groups.items() for member in members}
        found = {value: value for value in self.stay}
        for value in above.keys() - self.groups.keys():
            group = above[value]
            for _ in range(self.level - 1):
                group = above.get(group, group)
            found[value] = group
        return found


class TopBottomCode(TreatmentModel):
    """The value, but never below `bottom` nor above `top`: what stands out is cut off, the rest stays exact."""

    leaves = Leaves.UNCHANGED
    kind: Literal["top_bottom_code"]
    bottom: float | date | None = Field(default=None, description="Lower values are given as this one.")
    top: float | date | None = Field(default=None, description="Higher values are given as this one.")

    @model_validator(mode="after")
    def _ordered(self) -> "TopBottomCode":
        if any(isinstance(bound, float) and not math.isfinite(bound) for bound in (self.bottom, self.top)):
            raise ValueError("a bound is a finite number or a date")
        match self.bottom, self.top:
            case None, None:
                raise ValueError("give bottom, top or both")
            case (float() as low, float() as high) if low < high:
                pass
            case (date() as low, date() as high) if low < high:
                pass
            case (None, _) | (_, None):
                pass
            case _:
                raise ValueError("bottom must be below top, both numbers or both dates")
        return self


class DateShift(TreatmentModel):
    """The date, moved by a number of days that is secret and the same for all dates of one subject."""

    leaves = Leaves.QUASI_AT_MOST
    kind: Literal["date_shift"]
    max_days: int = Field(
        ge=7, le=3650, description="Dates move by up to so many days, back or on; the same in all columns."
    )


SurrogateKind = Literal["person_name", "email", "phone", "postal_address", "employer", "place", "date_of_birth"]

SurrogateLocale = Literal[
    "en_IN", "hi_IN", "ta_IN", "en_GB", "en_IE", "en_US", "en_CA", "fr_CA", "en_AU", "en_NZ",
    "de_DE", "de_AT", "de_CH", "fr_FR", "fr_CH", "it_IT", "es_ES", "pt_PT", "nl_NL", "pl_PL", "sv_SE", "pt_BR", "es_MX",
    "ja_JP",
]  # fmt: skip


class Surrogate(TreatmentModel):
    """An invented value of the same kind, for people who must read a table: the same for all rows of one subject."""

    leaves = Leaves.PSEUDONYM
    kind: Literal["surrogate"]
    provider: SurrogateKind | None = Field(
        default=None, description="What is invented; without it, what the column's entity is."
    )
    locale: SurrogateLocale = Field(default="en_IN", description="Language and country of what is invented.")
    by: Literal["subject", "value"] = Field(
        default="subject",
        description="`subject`: one surrogate for a subject, whatever the value. `value`: one for each value, so that "
        "different values stay different, for columns that tell of somebody else.",
    )

    def kind_for(self, entity: Entity) -> SurrogateKind:
        """What is invented for a column of an entity.

        Raises:
            ValueError: for that entity nothing is, and no provider is declared.
        """
        if self.provider is not None:
            return self.provider
        for kind in get_args(SurrogateKind):
            if kind == entity.value:
                return cast(SurrogateKind, kind)
        raise ValueError(f"nothing is invented for {entity}: name a provider, or use token")


class ScrubText(TreatmentModel):
    """Free text with every identifier found in it replaced by its kind. It stays personal data."""

    leaves = Leaves.UNCHANGED
    kind: Literal["scrub_text"]
    model: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9_]{1,63}$",
        description="Installed spaCy package that also finds names and places, such as `en_core_web_sm`.",
    )


Treatment = Annotated[
    Keep
    | Drop
    | Redact
    | PartialMask
    | Token
    | FormatPreserving
    | DeterministicEncryption
    | GeneraliseNumber
    | GeneraliseDate
    | GeneraliseGeography
    | GeneraliseCategory
    | TopBottomCode
    | DateShift
    | Surrogate
    | ScrubText,
    Field(discriminator="kind"),
]

TREATMENTS: Mapping[str, type[TreatmentModel]] = MappingProxyType(
    {get_args(model.model_fields["kind"].annotation)[0]: model for model in get_args(get_args(Treatment)[0])}
)
"""Every treatment by its kind."""


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
