"""The only way from rows to a private model: a sum of clipped integer gradients.

Belongs here: the map from one row to its integer vector, and the sum. Must stay out: noise, and what is done with sums.

Everything from a row's codes to the sum is integer arithmetic and table look-up, so that a row's contribution is the
same wherever it stands in memory, and the sensitivity is a count of integer units and not a claim about rounding.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secure_ml.privacy.noise import Integers
from secure_ml.training.encoding import Encoding
from secure_ml.training.errors import TrainingError

GRADIENT_UNITS = 1 << 20
"""Integer units of a residual that is as large as the clip."""

LOGIT_UNITS = 1 << 20
"""Integer units of a log-odds of one."""

_STEP_BITS = 8
_HALF_TABLE = 1 << 16
"""The residual is tabulated for log-odds within +-16, in steps of 2^-12."""

_EXACT_FLOAT = 1 << 53


@dataclass(frozen=True)
class ClippedRows:
    """Encoded rows whose clipped gradients can be summed.

    Attributes:
        codes: features x rows, as `Encoding.encode` makes them.
        positive: the outcome of each row.
        width: count of distinct codes.
        residuals: 2 x steps: the clipped residual in units by outcome and by log-odds.
    """

    codes: NDArray[np.intp]
    positive: NDArray[np.bool_]
    width: int
    residuals: NDArray[np.float64]

    @classmethod
    def of(
        cls, codes: NDArray[np.int32], positive: NDArray[np.bool_], *, encoding: Encoding, clip: float
    ) -> "ClippedRows":
        """Rows whose residual is clipped to `clip`.

        Raises:
            TrainingError: so many rows that a sum would not be exact.
        """
        if positive.size * GRADIENT_UNITS >= _EXACT_FLOAT:
            raise TrainingError("too many rows for exact sums; train on partitions and add their sums")
        return cls(codes.astype(np.intp), positive, encoding.width, residual_table(clip=clip))

    @property
    def sensitivity_squared(self) -> int:
        """Largest squared norm of one row's vector: its residual once for each feature and once for the intercept."""
        return GRADIENT_UNITS**2 * (len(self.codes) + 1)

    def gradient_sum(self, weights: Integers) -> Integers:
        """The sum over rows of (residual x one-hot row), with the intercept last.

        Args:
            weights: log-odds of each code and of the intercept, in `LOGIT_UNITS`.
        """
        score = np.full(self.positive.size, weights[-1], dtype=np.int64)
        for codes in self.codes:
            score += weights[codes]
        step = np.clip((score >> _STEP_BITS) + _HALF_TABLE, 0, 2 * _HALF_TABLE - 1)
        units = self.residuals.ravel()[step + self.positive * (2 * _HALF_TABLE)]
        # Float64 holds these integers exactly: each is at most 2^20 and there are fewer than 2^33.
        total = np.zeros(self.width + 1)
        for codes in self.codes:
            total += np.bincount(codes, weights=units, minlength=self.width + 1)
        total[-1] = units.sum()
        return total.astype(np.int64)


def residual_table(*, clip: float) -> NDArray[np.float64]:
    """Clipped residuals (probability minus outcome) in integer units, for the outcomes no and yes.

    Rounded towards zero, so that none exceeds `GRADIENT_UNITS`.
    """
    log_odds = (np.arange(-_HALF_TABLE, _HALF_TABLE) + 0.5) * (1 << _STEP_BITS) / LOGIT_UNITS
    probability = 1 / (1 + np.exp(-log_odds))
    units = np.trunc(np.stack([probability, probability - 1]) / clip * GRADIENT_UNITS)
    return np.clip(units, -GRADIENT_UNITS, GRADIENT_UNITS)
