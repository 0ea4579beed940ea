"""Data-quality expectations on `raw`: only those whose counts add up over batches."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from secure_ml.policy.model import PolicyModel


class _Expectation(PolicyModel):
    column: str = Field(description="Column that is looked at.")
    mostly: float = Field(default=1.0, gt=0, le=1, description="Smallest share of rows that must meet it.")
    blocking: bool = Field(default=True, description="Whether a failure stops everything downstream.")


class NotNull(_Expectation):
    """The cell is present."""

    expect: Literal["not_null"]


class Between(_Expectation):
    """The number lies in [minimum, maximum]."""

    expect: Literal["between"]
    minimum: float | None = Field(default=None, description="Smallest allowed number.")
    maximum: float | None = Field(default=None, description="Largest allowed number.")

    @model_validator(mode="after")
    def _some_bound(self) -> "Between":
        if self.minimum is None and self.maximum is None:
            raise ValueError("give minimum, maximum or both")
        return self


class InSet(_Expectation):
    """The text is one of a list."""

    expect: Literal["in_set"]
    values: tuple[str, ...] = Field(min_length=1, description="Allowed texts.")


class MatchesPattern(_Expectation):
    """The text matches a regular expression."""

    expect: Literal["matches"]
    pattern: str = Field(min_length=1, description="Regular expression, RE2 syntax, matched from the start.")


class Parses(_Expectation):
    """The text can be read as the column's declared type."""

    expect: Literal["parses"]


Expectation = Annotated[NotNull | Between | InSet | MatchesPattern | Parses, Field(discriminator="expect")]


class Quality(PolicyModel):
    """What `raw` must look like."""

    minimum_rows: int = Field(default=1, ge=1, description="A partition with fewer rows is refused.")
    parses_mostly: float = Field(
        default=0.9, gt=0, le=1, description="Smallest share of present cells of each column that read as its type."
    )
    expectations: tuple[Expectation, ...] = Field(default=(), description="Expectations, checked in one pass.")
