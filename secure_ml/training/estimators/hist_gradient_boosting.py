"""Gradient boosting without privacy, for policies that say why they need none.

Belongs here: the adapter to scikit-learn's histogram boosting. Must stay out: any claim of privacy; the trees and
category lists are learned from people and reveal some of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from secure_ml.policy.project import Policy
from secure_ml.policy.training import HistGradientBoosting
from secure_ml.training.columns import outcome
from secure_ml.training.errors import TrainingError
from secure_ml.training.estimators.port import NONE, Curve, ModelFacts, PrivacyLoss
from secure_ml.vault.dataset import Dataset

_MOST_CATEGORIES = 254
"""scikit-learn bins each feature into at most 255 values, one of them for missing."""


@dataclass(frozen=True)
class LearnedColumn:
    """How one column becomes numbers.

    Attributes:
        name: the column.
        categories: the most frequent texts at the fit, by code; None for a number.
    """

    name: str
    categories: tuple[str, ...] | None

    def encode(self, column: pa.Array) -> NDArray[np.float64]:
        """Numbers as they are, codes for texts; a missing cell and a text unknown at the fit are NaN."""
        if self.categories is not None:
            index = pc.index_in(_texts(column), pa.array(self.categories, pa.string()))
            return np.asarray(pc.cast(index, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


@dataclass(frozen=True)
class BoostedModel:
    """Trees over learned columns.

    Attributes:
        columns: how cells become numbers, in the classifier's order.
        classifier: scikit-learn's fitted classifier.
        facts: how it was learned.
    """

    columns: tuple[LearnedColumn, ...]
    classifier: Any
    facts: ModelFacts

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return tuple(column.name for column in self.columns)

    def predict_probability(self, batch: pa.RecordBatch) -> NDArray[np.float64]:
        """The probability of the positive outcome for each row."""
        if batch.num_rows == 0:
            return np.empty(0)
        return np.asarray(self.classifier.predict_proba(_matrix(self.columns, batch))[:, 1], dtype=np.float64)

    def explain(self) -> Mapping[str, Curve]:
        """Nothing: trees are not additive."""
        return {}


class HistGradientBoostingEstimator:
    """Learns a `BoostedModel` from all rows of every subject."""

    def fit(
        self, train: Dataset, *, policy: Policy, subject_key: bytes, privacy_loss: PrivacyLoss | None
    ) -> BoostedModel:
        """See `Estimator.fit`.

        Raises:
            TrainingError: the policy asks for privacy, or the training side holds one outcome only.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier

        settings = policy.training.estimator
        if not isinstance(settings, HistGradientBoosting) or privacy_loss is not None:
            raise TrainingError("hist_gradient_boosting gives no privacy; the policy asks for some")
        table = train.read([*policy.features, policy.label.column]).combine_chunks()
        # An empty table has no batch at all.
        rows = pa.Table.to_batches(table)[0] if table.num_rows else pa.RecordBatch.from_pylist([], table.schema)
        yes = outcome(rows, policy)
        rows, positive = rows.filter(yes.is_valid()), np.asarray(yes.drop_null(), dtype=bool)
        if positive.all() or not positive.any():
            raise TrainingError(
                f"the training side holds one outcome of {policy.label.column!r} only; check label.positive"
            )
        columns = tuple(_learn(name, rows.column(name)) for name in policy.features)
        classifier = HistGradientBoostingClassifier(
            max_iter=settings.iterations,
            learning_rate=settings.learning_rate,
            max_leaf_nodes=settings.maximum_leaves,
            categorical_features=[column.categories is not None for column in columns],
            early_stopping=False,
            random_state=0,
        )
        classifier.fit(_matrix(columns, rows), positive.astype(np.int64))
        return BoostedModel(columns, classifier, _facts(policy, settings))


def _learn(name: str, column: pa.Array) -> LearnedColumn:
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return LearnedColumn(name, None)
    counted = _texts(column).drop_null().value_counts().to_pylist()
    frequent = sorted(counted, key=lambda entry: (-entry["counts"], entry["values"]))[:_MOST_CATEGORIES]
    return LearnedColumn(name, tuple(sorted(entry["values"] for entry in frequent)))


def _matrix(columns: tuple[LearnedColumn, ...], batch: pa.RecordBatch) -> NDArray[np.float64]:
    absent = [column.name for column in columns if column.name not in batch.schema.names]
    if absent:
        raise TrainingError(f"these features are not in the table: {', '.join(absent)}")
    return np.column_stack([column.encode(batch.column(column.name)) for column in columns])


def _texts(column: pa.Array) -> pa.Array:
    return column if pa.types.is_string(column.type) else pc.cast(column, pa.string())


def _facts(policy: Policy, settings: HistGradientBoosting) -> ModelFacts:
    return ModelFacts(
        estimator=settings.kind,
        algorithm="histogram gradient boosting (scikit-learn)",
        hyperparameters={
            "iterations": settings.iterations,
            "learning_rate": settings.learning_rate,
            "maximum_leaves": settings.maximum_leaves,
        },
        guarantee=NONE,
        guarantee_reason=settings.no_privacy_reason,
        unit="row" if policy.subject is None else "subject",
        neighbouring="",
        epsilon="",
        delta="",
        accountant="",
        noise_scale=0.0,
        releases=0,
        not_covered=("everything: the model may reveal people that it was trained on",),
        seed_policy="fixed seed 0; the same data gives the same model",
    )
