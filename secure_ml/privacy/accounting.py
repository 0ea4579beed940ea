"""How much noise a stated guarantee needs: exact composition of Gaussian releases, checked by a second accountant.

Belongs here: arithmetic of privacy loss. Must stay out: noise, data, budgets.

Adjacency throughout: two tables are neighbours when one is the other with one unit (subject, or row where there is no
subject) added or removed. A release is a sum of integer vectors, one a unit, each of L2 norm at most the square root of
`sensitivity_squared`, plus independent discrete Gaussian noise on every coordinate.

Why continuous accounting holds for discrete noise: a discrete Gaussian of variance s^2 around q is, up to a factor of
exp(+-1e-75) on every probability, continuous Gaussian noise of variance s^2 - 9 followed by a randomised rounding that
does not look at q. Post-processing costs nothing, so only the 9 is paid. The proof is docs/decisions/0002.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

ROUNDING_VARIANCE = 9
"""Part of the noise variance (integer units) that stands for the discreteness; its square root is the proof's s = 3."""

_RESERVE = 1e-9
"""Relative part of epsilon and delta left unspent: covers floating point here and the factor exp(1e-75) per number."""

_SECOND_OPINION_TOLERANCE = 1e-3
"""Relative; the second accountant rounds privacy losses up to its grid."""


class AccountingError(Exception):
    """The planned releases do not give the stated guarantee, or the guarantee is out of the range that is computed."""


@dataclass(frozen=True)
class Release:
    """One kind of noisy sum, repeated.

    Attributes:
        sensitivity_squared: largest squared L2 norm of what one unit adds to the integer sum.
        scale: standard deviation of the discrete Gaussian, in integer units.
        times: how often it is released; each may depend on the earlier outputs.
    """

    sensitivity_squared: int
    scale: float
    times: int

    @property
    def mu_squared(self) -> float:
        """What all of them together cost, as the square of a Gaussian-DP parameter (squares add up)."""
        return self.times * self.sensitivity_squared / (self.scale**2 - ROUNDING_VARIANCE)


def delta_of(*, epsilon: float, mu: float) -> float:
    """The exact delta(epsilon) of a mu-Gaussian-DP mechanism.

    Balle & Wang, "Improving the Gaussian Mechanism for Differential Privacy" (2018), theorem 8; Dong, Roth & Su,
    "Gaussian Differential Privacy" (2022), corollary 1. Right for every epsilon, unlike the classic formula.
    """
    from scipy.special import log_ndtr

    first = math.exp(float(log_ndtr(-epsilon / mu + mu / 2)))
    second = math.exp(min(0.0, epsilon + float(log_ndtr(-epsilon / mu - mu / 2))))
    return max(0.0, first - second)


def calibrate(epsilon: Decimal, delta: Decimal) -> float:
    """The largest mu, rounded down, whose mu-Gaussian-DP gives (epsilon, delta)-DP.

    Args:
        epsilon: 0 < epsilon <= 1000.
        delta: 1e-15 <= delta < 1.

    Raises:
        AccountingError: a parameter is out of range.
    """
    if not (0 < epsilon <= 1000 and Decimal("1e-15") <= delta < 1):
        raise AccountingError("epsilon must lie in (0, 1000] and delta in [1e-15, 1)")
    target_epsilon, target_delta = float(epsilon) * (1 - _RESERVE), float(delta) * (1 - _RESERVE)
    low, high = 0.0, 1.0
    while delta_of(epsilon=target_epsilon, mu=high) <= target_delta:
        low, high = high, high * 2
    while low < (middle := (low + high) / 2) < high:
        if delta_of(epsilon=target_epsilon, mu=middle) <= target_delta:
            low = middle
        else:
            high = middle
    return low * (1 - _RESERVE)


def noise_scale(*, sensitivity_squared: int, mu: float, times: int) -> float:
    """The standard deviation (integer units) with which `times` releases together are mu-Gaussian-DP."""
    variance = times * sensitivity_squared / (mu * mu) + ROUNDING_VARIANCE
    return math.sqrt(variance) * (1 + 1e-12)


def verify(releases: Sequence[Release], *, epsilon: Decimal, delta: Decimal) -> None:
    """Refuses releases that together cost more than (epsilon, delta), by our own arithmetic and by `dp_accounting`.

    To be called with the scales that will really be used, before anything is released.

    Raises:
        AccountingError: they cost more; nothing may be released.
    """
    if any(r.scale**2 <= ROUNDING_VARIANCE or r.times < 1 or r.sensitivity_squared < 1 for r in releases):
        raise AccountingError("every release needs a noise scale above 3 integer units; use a finer fixed-point unit")
    mu = math.sqrt(sum(release.mu_squared for release in releases))
    if delta_of(epsilon=float(epsilon) * (1 - _RESERVE / 2), mu=mu) > float(delta):
        raise AccountingError(f"the planned noise does not give epsilon {epsilon} at delta {delta}; raise its scale")
    other = second_opinion(releases, delta=delta)
    if other > float(epsilon) * (1 + _SECOND_OPINION_TOLERANCE):
        raise AccountingError(f"dp_accounting finds epsilon {other:.6g} where {epsilon} is stated; nothing is released")


def second_opinion(releases: Sequence[Release], *, delta: Decimal) -> float:
    """The epsilon that Google's `dp_accounting` finds for the releases by privacy-loss distributions."""
    from dp_accounting import dp_event
    from dp_accounting.pld import PLDAccountant

    # Gaussian releases of different cost compose to one; a grid for each would only add rounding.
    mu = math.sqrt(sum(release.mu_squared for release in releases))
    accountant = PLDAccountant(value_discretization_interval=1e-4 * mu)
    accountant.compose(dp_event.GaussianDpEvent(1 / mu))
    return float(accountant.get_epsilon(float(delta)))
