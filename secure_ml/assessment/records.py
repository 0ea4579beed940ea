"""The smallest published things: the base of all records, an estimate with its interval, and the word for a hidden one.

Belongs here: shapes that every figure shares. Must stay out: the rules of what may be published (disclosure).
"""

from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

Suppressed = Literal["suppressed"]
"""Stands where a figure was measured and may not be shown."""

SUPPRESSED: Final[Suppressed] = "suppressed"

CONFIDENCE: Final = 0.95
"""Coverage that every interval aims at."""

DECIMALS: Final = 3
"""Figures carry no more: a rate with all its digits gives the counts behind it back."""

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class PublishedRecord(BaseModel):
    """A part of an evaluation: closed, immutable, finite numbers only."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Estimate(PublishedRecord):
    """A figure of the test side with its 95 % bootstrap interval.

    Attributes:
        value: the figure itself.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    value: float
    low: float
    high: float


Published = Estimate | Suppressed
"""A figure, or the word that it is hidden."""


def rounded(value: float | np.floating) -> float:
    """The value to the published number of decimals; never a negative zero."""
    return round(float(value), DECIMALS) + 0.0


def estimate(value: float, draws: Floats) -> Published:
    """The value with the percentile interval of its bootstrap draws (Efron, 1979).

    Args:
        value: the figure.
        draws: the figure of each resample; NaN where a resample did not define it.

    Returns:
        Suppressed where the figure, or nine in ten of its resamples, are undefined: no interval could be given.
    """
    defined = draws[np.isfinite(draws)]
    if not np.isfinite(value) or defined.size == 0 or defined.size < 0.9 * draws.size:
        return SUPPRESSED
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(value=rounded(value), low=rounded(low), high=rounded(high))
