"""A column's declaration: what it is, what is done to it, what it may be used for."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pydantic import Field, model_validator

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.policy.model import PolicyModel
from secure_ml.policy.treatments import (
    FormatPreserving,
    GeneraliseGeography,
    Leaves,
    Surrogate,
    TopBottomCode,
    Treatment,
    Use,
)


class ColumnType(StrEnum):
    """Type of a column's values once parsed."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"


_NUMERIC = {ColumnType.INTEGER, ColumnType.NUMBER}
_LARGEST_EXACT = 2.0**53

WITH_CHECK_DIGITS = frozenset(
    {
        Entity.AADHAAR, Entity.AADHAAR_VIRTUAL_ID, Entity.CARD, Entity.IBAN, Entity.GSTIN, Entity.NPI,
        Entity.NHS_NUMBER, Entity.ROUTING_NUMBER, Entity.VOTER_ID,
    }
)  # fmt: skip
"""Entities whose numbers check themselves."""

FEW_VALUES: Mapping[Entity, str] = MappingProxyType(
    {
        Entity.GENDER: "drop or redact it, or use generalise_category",
        Entity.RELIGION: "drop or redact it, or use generalise_category",
        Entity.ETHNICITY: "drop or redact it, or use generalise_category",
        Entity.PIN_CODE: "use generalise_geography",
        Entity.PLACE: "use generalise_geography, or drop it",
        Entity.DATE_OF_BIRTH: "use generalise_date",
        Entity.INCOME: "use generalise_number",
        Entity.ICD_CODE: "drop or redact it, or use generalise_category",
        Entity.HEALTH: "drop or redact it, or use generalise_category",
    }
)
"""Entities of so few values that a pseudonym's frequency tells the value; and what to do with them instead."""

_TOO_LITTLE_FOR_DIRECT = {"keep", "top_bottom_code", "date_shift"} | {
    f"generalise_{what}" for what in ("number", "date", "category")
}
_TOO_LITTLE_FOR_A_PSEUDONYM = {"generalise_number", "generalise_category"}
_NO_FEATURE = {"drop", "redact", "partial_mask", "scrub_text"}
_LEARNT_OR_TOLD = {"feature": "a feature", "fairness": "compared for fairness"}
"""Uses by which a model learns a column's values, or figures tell them as the names of groups."""

_PSEUDONYMS_BY_KEY = {"token", "format_preserving", "deterministic_encryption"}


class Override(PolicyModel):
    """The steward's word against one finding; it stands in the verdict, with its reason, and on the model card."""

    entity: Entity = Field(
        description="The finding that does not hold; any other blocks as before. `none`: that the column, of which "
        "nothing else is known, singles people out."
    )
    reason: str = Field(min_length=20, description="Why it does not hold, for people.")


class ColumnPolicy(PolicyModel):
    """One column of the source."""

    description: str = Field(min_length=3, description="What the column holds, for people.")
    type: ColumnType = Field(
        description="Type once parsed; a cell that does not parse is masked as unknown and counted."
    )
    category: Category = Field(description="Kind of sensitive data; decides which key encrypts it.")
    entity: Entity = Field(default=Entity.NONE, description="What a value is.")
    identifiability: Identifiability = Field(description="How far a value points to one person.")
    treatment: Treatment = Field(description="What `masked` does to it.")
    use: Use = Field(description="What it may be used for after `masked`.")
    override: Override | None = Field(
        default=None, description="A finding about this column that the steward has looked at and that does not hold."
    )

    @model_validator(mode="after")
    def _overrides_another_entity(self) -> "ColumnPolicy":
        if self.override is not None and self.override.entity is self.entity is not Entity.NONE:
            raise ValueError(f"the column is declared as {self.entity}, so a finding of it is not overridden but right")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> "ColumnPolicy":
        kind, use = self.treatment.kind, self.use.kind
        if self.identifiability is Identifiability.DIRECT and kind in _TOO_LITTLE_FOR_DIRECT:
            raise ValueError(
                f"a direct identifier cannot be treated by {kind}: use drop, redact, partial_mask or token"
            )
        if use in _LEARNT_OR_TOLD and (self.treatment.leaves is Leaves.PSEUDONYM or kind in _NO_FEATURE):
            raise ValueError(f"a column treated by {kind} cannot be {_LEARNT_OR_TOLD[use]}")
        if self.identifiability is Identifiability.PSEUDONYM:
            self._is_no_measure(kind, use)
        if use != "never" and kind == "drop":
            raise ValueError("a dropped column has the use never")
        if self.entity is Entity.FREE_TEXT and kind == "keep":
            raise ValueError("free text cannot be kept as it is: use drop, redact or scrub_text")
        if kind == "generalise_number" and self.type not in _NUMERIC:
            raise ValueError("generalise_number needs type integer or number")
        if kind in {"generalise_date", "date_shift"} and self.type is not ColumnType.DATE:
            raise ValueError(f"{kind} needs type date")
        if kind == "generalise_category" and self.type is not ColumnType.STRING:
            raise ValueError("generalise_category needs type string, also for codes written in digits")
        return self

    def _is_no_measure(self, kind: str, use: str) -> None:
        """A pseudonym names somebody; intervals and groups may hold one value each, and would still lower its label."""
        if kind in _TOO_LITTLE_FOR_A_PSEUDONYM:
            raise ValueError(
                f"a pseudonym cannot be treated by {kind}: use drop, redact, partial_mask or token; "
                "what measures or groups, and names nobody, is declared quasi"
            )
        if use in _LEARNT_OR_TOLD and self.treatment.leaves is Leaves.UNCHANGED:
            raise ValueError(
                f"a pseudonym cannot be {_LEARNT_OR_TOLD[use]}, since it names people: drop it; "
                "what measures or groups, and names nobody, is declared quasi"
            )

    @model_validator(mode="after")
    def _hides_what_it_encrypts(self) -> "ColumnPolicy":
        kind, treatment = self.treatment.kind, self.treatment
        if kind not in _PSEUDONYMS_BY_KEY:
            return self
        if self.entity in FEW_VALUES or self.type is ColumnType.BOOLEAN:
            what = f"a {self.entity}" if self.entity in FEW_VALUES else "a boolean"
            raise ValueError(
                f"{what} has so few values that how often each occurs tells which it is, so {kind} hides nothing: "
                f"{FEW_VALUES.get(self.entity, 'drop, redact or keep it')}"
            )
        if self.entity is Entity.FREE_TEXT:
            raise ValueError(f"free text cannot be treated by {kind}: use drop, redact or scrub_text")
        if isinstance(treatment, FormatPreserving):
            if self.type not in {ColumnType.STRING, ColumnType.INTEGER}:
                raise ValueError("format_preserving needs type string or integer")
            if treatment.alphabet is not None and self.entity in WITH_CHECK_DIGITS:
                raise ValueError(f"a {self.entity} has check digits, which need digits and letters: leave out alphabet")
        return self

    @model_validator(mode="after")
    def _fits_its_type(self) -> "ColumnPolicy":
        match self.treatment:
            case GeneraliseGeography(decimals=int()) if self.type not in {ColumnType.STRING, ColumnType.NUMBER}:
                raise ValueError("decimals of coordinates need type number, or string for a pair of them")
            case TopBottomCode() as spec:
                self._bounds_fit(spec)
            case Surrogate() as spec:
                invented = ColumnType.DATE if spec.kind_for(self.entity) == "date_of_birth" else ColumnType.STRING
                if self.type is not invented:
                    raise ValueError(f"this surrogate needs type {invented}")
                if spec.by == "value" and self.entity in FEW_VALUES:
                    raise ValueError(
                        f"a {self.entity} has so few values that how often each occurs tells which it is: "
                        "write by: subject, or generalise it"
                    )
        return self

    def _bounds_fit(self, spec: TopBottomCode) -> None:
        if self.type not in {*_NUMERIC, ColumnType.DATE}:
            raise ValueError("top_bottom_code needs type integer, number or date")
        for bound in (spec.bottom, spec.top):
            if bound is not None and isinstance(bound, float) is (self.type is ColumnType.DATE):
                raise ValueError("bounds of top_bottom_code are dates for type date, and numbers for all else")
            whole = isinstance(bound, float) and bound.is_integer() and abs(bound) <= _LARGEST_EXACT
            if bound is not None and self.type is ColumnType.INTEGER and not whole:
                raise ValueError("bounds of top_bottom_code are whole numbers for type integer")


class Subject(PolicyModel):
    """The person (or other unit) whose privacy is protected."""

    column: str = Field(description="Column that is the same in every row of one subject; its treatment must be token.")


class TargetLabel(PolicyModel):
    """What the model predicts."""

    column: str = Field(description="Column of the outcome; two classes.")
    positive: str = Field(description="The value that means yes; every other present value means no.")


class Consent(PolicyModel):
    """A column that says whether the subject agreed to this purpose."""

    column: str = Field(description="Column of the consent flag.")
    granted: tuple[str, ...] = Field(
        min_length=1, description="Values that mean consent; any other, or none, means no."
    )
