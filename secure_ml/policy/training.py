"""How a project splits, trains and spends its privacy budget."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from secure_ml.policy.model import PolicyModel


class Split(PolicyModel):
    """Shares of the subjects on each side; the rest trains."""

    validation: float = Field(default=0.15, gt=0, lt=0.5, description="Share of subjects on the validation side.")
    test: float = Field(default=0.15, gt=0, lt=0.5, description="Share of subjects on the test side.")
    allow_holes: bool = Field(default=False, description="Whether a missing partition before `through` is accepted.")


class Budget(PolicyModel):
    """All that this project's training may ever spend on these subjects."""

    epsilon: Decimal = Field(gt=0, le=1000, description="Total privacy loss, summed over all charges.")
    delta: Decimal = Field(gt=0, lt=1, description="Total failure probability, summed over all charges.")


class DpAdditive(PolicyModel):
    """A private additive model on declared bins and categories, trained by noisy sums."""

    kind: Literal["dp_additive"]
    epsilon: Decimal = Field(gt=0, le=100, description="Privacy loss of one training.")
    delta: Decimal = Field(ge=Decimal("1e-15"), lt=Decimal("0.01"), description="Failure probability of one training.")
    budget: Budget = Field(description="The project's budget, charged before each training.")
    rounds: int = Field(default=200, ge=1, le=5000, description="Noisy gradient steps.")
    learning_rate: float = Field(
        default=10.0, gt=0, le=1000, description="Largest step size; it shrinks on small tables, where noise dominates."
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Share of the last step that is kept.")
    clip: float = Field(default=0.5, gt=0, le=1, description="Largest absolute residual of one row.")


class HistGradientBoosting(PolicyModel):
    """Gradient boosting without privacy, for policies that ask for none."""

    kind: Literal["hist_gradient_boosting"]
    no_privacy_reason: str = Field(min_length=10, description="Why this purpose trains without differential privacy.")
    iterations: int = Field(default=200, ge=1, le=10_000, description="Boosting rounds.")
    learning_rate: float = Field(default=0.1, gt=0, le=1, description="Shrinkage.")
    maximum_leaves: int = Field(default=31, ge=2, le=4096, description="Leaves of one tree.")


EstimatorPolicy = Annotated[DpAdditive | HistGradientBoosting, Field(discriminator="kind")]


class Backtest(PolicyModel):
    """A second training on the earlier partitions only, tried on the later ones."""

    periods: int = Field(ge=1, description="Latest partitions held out.")
    epsilon: Decimal | None = Field(default=None, gt=0, description="Privacy loss of this second training, if private.")


class Training(PolicyModel):
    """Which estimator, and how."""

    estimator: EstimatorPolicy = Field(description="The learning algorithm and its settings.")
    backtest: Backtest | None = Field(default=None, description="Temporal backtest; none for a table of one piece.")

    @model_validator(mode="after")
    def _backtest_pays(self) -> "Training":
        if self.backtest is not None and (self.estimator.kind == "dp_additive") != (self.backtest.epsilon is not None):
            raise ValueError("backtest.epsilon is needed exactly when the estimator is private")
        return self
