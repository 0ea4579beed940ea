"""The port of every estimator: what it is given, what it gives back, and what it says about itself.

Belongs here: types. Must stay out: any algorithm.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from secure_ml.policy.project import Policy
from secure_ml.vault.dataset import Dataset

Unit = Literal["subject", "row"]

PRIVATE = "differentially private"
GIVEN_MASKED = "differentially private given the masked table"
VOID = "noise added, no differential-privacy guarantee"
NONE = "no differential privacy"


@dataclass(frozen=True)
class PrivacyLoss:
    """What one training may cost; already charged to the budget when an estimator sees it."""

    epsilon: Decimal
    delta: Decimal


@dataclass(frozen=True)
class ModelFacts:
    """What a model card says about how the model was learned. Nothing here depends on a single person.

    Attributes:
        estimator: the policy's word for the learning algorithm.
        algorithm: the same for people.
        hyperparameters: settings that were used, all from the policy.
        guarantee: `PRIVATE`, `GIVEN_MASKED`, `VOID` or `NONE`.
        guarantee_reason: why the guarantee is not the first, or "".
        unit: whose presence is hidden.
        neighbouring: which two tables the guarantee compares.
        epsilon: privacy loss of this model, or "".
        delta: failure probability of this model, or "".
        accountant: how the two were computed, or "".
        noise_scale: standard deviation of the noise over the clipping bound of one row's gradient, or 0.
        releases: how many noisy sums were released.
        not_covered: what the guarantee does not speak about.
        seed_policy: where randomness came from.
    """

    estimator: str
    algorithm: str
    hyperparameters: Mapping[str, str | int | float]
    guarantee: str
    guarantee_reason: str
    unit: Unit
    neighbouring: str
    epsilon: str
    delta: str
    accountant: str
    noise_scale: float
    releases: int
    not_covered: tuple[str, ...] = field(default=())
    seed_policy: str = ""

    def to_json(self) -> dict[str, object]:
        """The facts as JSON values."""
        return {**asdict(self), "hyperparameters": dict(self.hyperparameters), "not_covered": list(self.not_covered)}


@dataclass(frozen=True)
class Curve:
    """What one feature adds to the log-odds, for each of its levels."""

    feature: str
    levels: tuple[str, ...]
    contributions: tuple[float, ...]


@runtime_checkable
class TrainedModel(Protocol):
    """A model that predicts, and can say how it was made."""

    @property
    def facts(self) -> ModelFacts:
        """How it was learned."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that it reads."""
        ...

    def predict_probability(self, batch: pa.RecordBatch) -> NDArray[np.float64]:
        """The probability of the positive outcome for each row; rows stay in order."""
        ...

    def explain(self) -> Mapping[str, Curve]:
        """The global explanation, one curve a feature; empty where the model is not additive."""
        ...


class Estimator(Protocol):
    """Learns one model from the training side."""

    def fit(
        self, train: Dataset, *, policy: Policy, subject_key: bytes, privacy_loss: PrivacyLoss | None
    ) -> TrainedModel:
        """Learns from all rows of `train`.

        Args:
            train: rows of the training side only.
            policy: names features, label and subject, and sets the algorithm.
            subject_key: chooses which row of a subject with several is used.
            privacy_loss: what was charged; None for an estimator that gives no privacy.

        Raises:
            TrainingError: policy and table do not fit together.
        """
        ...
