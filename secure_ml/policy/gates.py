"""Thresholds that a model must meet, who approves it, and how long things are kept."""

from typing import Literal

from pydantic import Field, model_validator

from secure_ml.policy.model import PolicyModel


class PerformanceGate(PolicyModel):
    """A bound on one metric of the test side."""

    metric: Literal["auc", "accuracy", "f1", "log_loss", "expected_calibration_error", "backtest_auc"] = Field(
        description="Metric of the test side (backtest_auc: of the later periods)."
    )
    minimum: float | None = Field(default=None, description="Smallest allowed value.")
    maximum: float | None = Field(default=None, description="Largest allowed value.")
    blocking: bool = Field(default=True, description="Whether a failure stops registration.")

    @model_validator(mode="after")
    def _some_bound(self) -> "PerformanceGate":
        if self.minimum is None and self.maximum is None:
            raise ValueError("give minimum, maximum or both")
        return self


class FairnessGate(PolicyModel):
    """A bound on one gap between the groups of a protected attribute."""

    attribute: str = Field(description="Column with the use fairness.")
    metric: Literal["demographic_parity_difference", "equalized_odds_difference", "equal_opportunity_difference"] = (
        Field(description="Gap between the groups, as fairlearn defines it.")
    )
    maximum: float = Field(gt=0, le=1, description="Largest allowed gap.")
    blocking: bool = Field(default=True, description="Whether a failure stops registration.")


class LeakageGate(PolicyModel):
    """No single feature may give the label away."""

    maximum_single_feature_auc: float = Field(
        default=0.95, gt=0.5, le=1, description="Largest allowed AUC of one feature alone on the training side."
    )


class DisclosureControl(PolicyModel):
    """Figures over fewer people than this are suppressed."""

    minimum_cell: int = Field(default=30, ge=5, description="Smallest number of subjects behind a published figure.")
    minimum_positives: int = Field(default=10, ge=3, description="Smallest number of positives behind a rate.")


class Gates(PolicyModel):
    """What `split` and `validated` must show before `registered`."""

    performance: tuple[PerformanceGate, ...] = Field(default=(), description="Bounds on metrics.")
    fairness: tuple[FairnessGate, ...] = Field(default=(), description="Bounds on gaps between groups.")
    leakage: LeakageGate = Field(default=LeakageGate(), description="Bound on what one feature may give away.")
    disclosure: DisclosureControl = Field(default=DisclosureControl(), description="Suppression of small cells.")

    def warning(self) -> "Gates":
        """The same bounds, of which those on a model's figures only warn."""
        performance = tuple(gate.model_copy(update={"blocking": False}) for gate in self.performance)
        fairness = tuple(gate.model_copy(update={"blocking": False}) for gate in self.fairness)
        return self.model_copy(update={"performance": performance, "fairness": fairness})


class Approvals(PolicyModel):
    """Who must agree before a model is deployed."""

    required: int = Field(default=2, ge=1, le=10, description="How many different people.")
    roles: tuple[str, ...] = Field(default=("risk_officer",), min_length=1, description="Roles that may approve.")


class Retention(PolicyModel):
    """Days after which each kind of data is destroyed."""

    raw_days: int = Field(ge=1, description="Raw and classified data.")
    masked_days: int = Field(ge=1, description="Masked data and splits.")
    model_days: int = Field(ge=1, description="Models and their evidence.")


class Storage(PolicyModel):
    """How versions are cut into encrypted parts."""

    buckets: int = Field(
        default=1, ge=1, le=1024, description="Parts of a version by the subject's keyed hash; an erasure rewrites one."
    )
