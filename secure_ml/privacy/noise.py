"""The one noisy mechanism: an integer sum plus exact discrete Gaussian noise.

Belongs here: drawing noise. Must stay out: how much is needed (accounting) and what is summed.

The noise comes from OpenDP's sampler, which is exact on integers and draws from the operating system: floating-point
noise leaks through its last bits (Mironov, "On Significance of the Least Significant Bits for Differential Privacy").
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

Sampler = Callable[[Integers, float], Integers]
"""Adds noise of the given standard deviation to every number. Only tests replace it."""

_LARGEST = 1 << 61


class NoiseError(Exception):
    """The mechanism was asked for something that it cannot release safely."""


@dataclass(frozen=True)
class NoisySum:
    """Releases integer sums with discrete Gaussian noise.

    Sensitivity is the caller's: it must have clipped what each unit adds before summing. Guarantee: rho-zCDP with
    rho = D^2 / (2 scale^2) for L2 sensitivity D (Canonne, Kamath & Steinke, "The Discrete Gaussian for Differential
    Privacy", 2020, theorem 14), and the tighter one of `accounting`.

    Attributes:
        scale: standard deviation of the noise, in integer units.
        sampler: draws the noise.
    """

    scale: float
    sampler: Sampler = field(default_factory=lambda: OpenDpSampler())

    def __post_init__(self) -> None:
        if not 3 < self.scale < float(1 << 55):
            raise NoiseError("the noise scale must lie between 3 and 2^55 integer units")

    def release(self, clipped_sum: Integers) -> Integers:
        """The sum with fresh noise on every coordinate.

        Raises:
            NoiseError: the sum is not of 64-bit integers, or too large for noise to be added without overflow.
        """
        if clipped_sum.dtype != np.int64 or clipped_sum.ndim != 1:
            raise NoiseError("a vector of 64-bit integers is needed; floating-point sums have no exact sensitivity")
        if clipped_sum.size and (clipped_sum.max() > _LARGEST or clipped_sum.min() < -_LARGEST):
            raise NoiseError("the sum is too large for 64-bit integers; use a coarser fixed-point unit")
        noisy = self.sampler(clipped_sum, self.scale)
        if noisy.shape != clipped_sum.shape or noisy.dtype != np.int64:
            raise NoiseError("the sampler returned another shape or type")
        return noisy


class OpenDpSampler:
    """OpenDP's exact discrete Gaussian, seeded by the operating system."""

    def __call__(self, clipped_sum: Integers, scale: float) -> Integers:
        """Adds noise of standard deviation `scale` to every number."""
        import opendp.prelude as dp

        dp.enable_features("contrib")
        space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="i64")
        measurement = dp.m.make_gaussian(*space, scale=scale)
        return np.asarray(measurement(clipped_sum.tolist()), dtype=np.int64)
