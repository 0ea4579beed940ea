from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import chi2

from secure_ml.privacy.noise import Integers, NoiseError, NoisySum, OpenDpSampler

FALSE_ALARM = 1e-6
"""Chance that a right sampler fails one of these tests."""


def chi_square_p(noise: Integers, scale: float) -> float:
    """p-value of the noise against the discrete Gaussian of that scale, in cells of at least 20 expected."""
    reach = int(8 * scale)
    whole = np.arange(-reach, reach + 1)
    mass = np.exp(-(whole**2) / 2 / scale**2)
    expected = mass / mass.sum() * noise.size
    seen = np.bincount(np.clip(noise, -reach, reach) + reach, minlength=whole.size)
    middle = np.flatnonzero(expected >= 20)
    low, high = middle[0], middle[-1] + 1
    cells = [(seen[:low].sum(), expected[:low].sum()), (seen[high:].sum(), expected[high:].sum())]
    cells += list(zip(seen[low:high], expected[low:high], strict=True))
    statistic = sum((s - e) ** 2 / e for s, e in cells if e > 0)
    return float(chi2.sf(statistic, len(cells) - 1))


def _noise(sampler: Callable[[Integers, float], Integers], scale: float, draws: int = 30_000) -> Integers:
    return NoisySum(scale, sampler).release(np.zeros(draws, np.int64))


@pytest.mark.parametrize("scale", [3.5, 20.0])
def test_noise_is_the_stated_discrete_gaussian(scale: float) -> None:
    assert chi_square_p(_noise(OpenDpSampler(), scale), scale) > FALSE_ALARM


def test_noise_at_the_scale_of_a_training_has_the_stated_spread() -> None:
    scale = 2.5e8
    noise = _noise(OpenDpSampler(), scale)
    statistic = float((noise.astype(float) ** 2).sum()) / scale**2
    assert FALSE_ALARM < chi2.cdf(statistic, noise.size) < 1 - FALSE_ALARM
    assert len(np.unique(noise % 1024)) == 1024


@pytest.mark.parametrize(
    "broken",
    [
        lambda values, scale: OpenDpSampler()(values, scale / 2),
        lambda values, scale: OpenDpSampler()(values, scale * 0.95),
        lambda values, scale: values,
        lambda values, scale: values + np.abs(OpenDpSampler()(values * 0, scale)),
        lambda values, scale: OpenDpSampler()(values // 2, scale / 2) * 2,
    ],
    ids=["half the noise", "five per cent less", "none", "one-sided", "even numbers only"],
)
def test_a_broken_sampler_is_caught(broken: Callable[[Integers, float], Integers]) -> None:
    assert chi_square_p(_noise(broken, 20.0), 20.0) <= FALSE_ALARM


def test_the_sum_is_in_the_middle_and_coordinates_are_independent() -> None:
    released = NoisySum(10.0).release(np.tile(np.array([1_000_000, -5], np.int64), 20_000)).reshape(-1, 2)
    deviation = released - np.array([1_000_000, -5])
    assert np.abs(deviation.mean(axis=0)).max() < 5 * 10 / np.sqrt(20_000)
    assert abs(float(np.corrcoef(deviation.T)[0, 1])) < 5 / np.sqrt(20_000)


def test_two_releases_differ() -> None:
    values = np.zeros(50, np.int64)
    assert not np.array_equal(NoisySum(1e6).release(values), NoisySum(1e6).release(values))


@pytest.mark.parametrize(
    "values", [np.zeros(3), np.zeros((2, 2), np.int64), np.array([1 << 62]), np.array([-(1 << 62)])]
)
def test_what_has_no_exact_sensitivity_is_refused(values: Integers) -> None:
    with pytest.raises(NoiseError):
        NoisySum(10.0).release(values)


@pytest.mark.parametrize("scale", [0.0, 3.0, -1.0, float("nan"), float("inf"), float(1 << 60)])
def test_scales_outside_the_proof_are_refused(scale: float) -> None:
    with pytest.raises(NoiseError):
        NoisySum(scale)
