"""The noise of a whole private training, planned and verified before the first release.

Belongs here: how one training's loss is shared among its releases. Must stay out: accounting itself, and data.
"""

import math
from dataclasses import dataclass

from secure_ml.privacy import accounting
from secure_ml.privacy.accounting import Release
from secure_ml.training.estimators.port import PrivacyLoss

COUNT_UNITS = 1 << 20
"""Integer units of one row in the noisy count."""

_COUNT_SHARE = 0.01
"""Share of the (squared) budget for the count of rows; its error only rescales the step."""


@dataclass(frozen=True)
class NoisePlan:
    """The scales of all releases of one training, verified against the stated loss.

    Attributes:
        count: the noisy count of rows.
        gradient: the noisy gradient sums.
    """

    count: Release
    gradient: Release

    @classmethod
    def of(cls, *, privacy_loss: PrivacyLoss, rounds: int, sensitivity_squared: int) -> "NoisePlan":
        """The least noise that gives `privacy_loss`.

        Args:
            privacy_loss: what was charged.
            rounds: noisy gradient sums.
            sensitivity_squared: of one gradient sum, in squared integer units.

        Raises:
            AccountingError: no noise gives it, or the second accountant disagrees.
        """
        mu = accounting.calibrate(privacy_loss.epsilon, privacy_loss.delta)

        def release(sensitivity: int, share: float, times: int) -> Release:
            scale = accounting.noise_scale(sensitivity_squared=sensitivity, mu=mu * math.sqrt(share), times=times)
            return Release(sensitivity, scale, times)

        plan = cls(release(COUNT_UNITS**2, _COUNT_SHARE, 1), release(sensitivity_squared, 1 - _COUNT_SHARE, rounds))
        accounting.verify([plan.count, plan.gradient], epsilon=privacy_loss.epsilon, delta=privacy_loss.delta)
        return plan
