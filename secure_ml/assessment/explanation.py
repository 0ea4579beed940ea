"""What the model looks at: its own curves where it is additive, else what is lost when a feature is shuffled.

Belongs here: explanation of the model as a whole. Must stay out: the explanation of one person's score.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.performance import large_enough, require_two_classes
from secure_ml.assessment.records import SUPPRESSED, Booleans, Floats, PublishedRecord, Suppressed, rounded
from secure_ml.assessment.scored import Scored
from secure_ml.assessment.weighted import Ranking
from secure_ml.policy.gates import DisclosureControl

Predict = Callable[[pa.RecordBatch], Floats]
"""The model: a batch of features to (rows,) probabilities."""

_BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Curve:
    """What each bin or category of a feature adds to an additive model's score.

    Attributes:
        feature: column of the policy.
        labels: bins or categories, in the policy's order; they come from the policy, never from the data.
        contributions: log-odds that each adds.
    """

    feature: str
    labels: tuple[str, ...]
    contributions: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.labels or len(self.labels) != len(self.contributions):
            raise AssessmentError(f"the curve of {self.feature} needs one contribution for each of its labels")
        if not np.isfinite(self.contributions).all():
            raise AssessmentError(f"the curve of {self.feature} has a contribution that is not a number")

    @property
    def reach(self) -> float:
        """Largest minus smallest contribution: how far the feature alone can move the log-odds."""
        return max(self.contributions) - min(self.contributions)


class Importance(PublishedRecord):
    """How much a feature matters.

    Attributes:
        feature: column of the policy.
        value: reach of its curve in log-odds, or the AUC lost when it is shuffled.
        spread: standard deviation over the shuffles; 0 for a curve.
    """

    feature: str
    value: float
    spread: float


class Explanation(PublishedRecord):
    """The model as a whole.

    Attributes:
        method: where the importances come from.
        importances: most important feature first.
        curves: an additive model's curves, in the same order; none for any other.
    """

    method: Literal["curves", "permutation"]
    importances: tuple[Importance, ...] | Suppressed
    curves: tuple[Curve, ...]


def explain_by_curves(curves: Mapping[str, Curve]) -> Explanation:
    """The explanation of an additive model: its curves are the whole of it, and cost no further look at data.

    Raises:
        AssessmentError: there is no curve, or one stands under another feature's name.
    """
    if not curves or any(name != curve.feature for name, curve in curves.items()):
        raise AssessmentError("an additive model needs a curve for each feature, under the feature's name")
    ordered = sorted(curves.values(), key=lambda curve: -curve.reach)
    importances = tuple(Importance(feature=c.feature, value=rounded(c.reach), spread=0.0) for c in ordered)
    shown = tuple(Curve(c.feature, c.labels, tuple(rounded(v) for v in c.contributions)) for c in ordered)
    return Explanation(method="curves", importances=importances, curves=shown)


def explain_by_permutation(
    predict: Predict,
    features: pa.Table,
    scored: Scored,
    *,
    control: DisclosureControl,
    repeats: int,
    generator: np.random.Generator,
) -> Explanation:
    """The AUC that is lost when one feature is shuffled among the rows (Breiman, 2001).

    Features that say the same share their importance, so that each may look small.

    Args:
        predict: the model.
        features: (rows,) of the test side; the columns that the model reads.
        scored: the same rows, under the model.
        control: smallest cells that may be shown.
        repeats: shuffles of each feature, at least 1.
        generator: source of the shuffles.

    Raises:
        AssessmentError: rows do not match, the label has one class, or the model's output is not probabilities.
    """
    if repeats < 1 or features.num_rows != scored.rows:
        raise AssessmentError("permutation importance needs at least one repeat, and features of the scored rows")
    require_two_classes(scored)
    if not large_enough(scored, control=control):
        return Explanation(method="permutation", importances=SUPPRESSED, curves=())
    base = _auc(scored)
    importances = []
    for i, name in enumerate(features.column_names):
        losses = np.empty(repeats)
        for repeat in range(repeats):
            shuffled = features.column(i).take(pa.array(generator.permutation(scored.rows)))
            changed = features.set_column(i, features.field(i), shuffled)
            losses[repeat] = base - _auc(_score(predict, changed, scored.label))
        importances.append(Importance(feature=name, value=rounded(losses.mean()), spread=rounded(losses.std())))
    ordered = tuple(sorted(importances, key=lambda importance: -importance.value))
    return Explanation(method="permutation", importances=ordered, curves=())


def _score(predict: Predict, features: pa.Table, label: Booleans) -> Scored:
    parts = [predict(batch) for batch in features.combine_chunks().to_batches(max_chunksize=_BATCH_ROWS)]
    score = np.concatenate(parts) if parts else np.empty(0)
    return Scored(label, score, None, np.zeros(len(label), dtype="U1"), {})


def _auc(scored: Scored) -> float:
    return float(Ranking.of(scored).auc(np.ones((1, scored.rows)))[0])
