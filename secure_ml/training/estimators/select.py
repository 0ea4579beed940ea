"""The estimator that a policy asks for.

Belongs here: the table of estimators. Must stay out: everything else.
"""

from secure_ml.policy.training import DpAdditive, EstimatorPolicy
from secure_ml.training.estimators.dp_additive import DpAdditiveEstimator
from secure_ml.training.estimators.hist_gradient_boosting import HistGradientBoostingEstimator
from secure_ml.training.estimators.port import Estimator


def estimator_for(settings: EstimatorPolicy) -> Estimator:
    """The estimator of the policy's kind."""
    return DpAdditiveEstimator() if isinstance(settings, DpAdditive) else HistGradientBoostingEstimator()
