import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.privacy.accounting import (
    AccountingError,
    Release,
    calibrate,
    delta_of,
    noise_scale,
    second_opinion,
    verify,
)

UNIT = 1 << 40
CASES = [("0.01", "1e-9"), ("0.1", "1e-6"), ("1", "1e-6"), ("1", "1e-5"), ("4", "1e-6"), ("20", "1e-3")]


def _release(mu: float, times: int = 200) -> Release:
    return Release(UNIT, noise_scale(sensitivity_squared=UNIT, mu=mu, times=times), times)


@pytest.mark.parametrize(("epsilon", "delta"), CASES)
def test_calibrated_noise_costs_at_most_what_is_stated_and_hardly_less(epsilon: str, delta: str) -> None:
    mu = calibrate(Decimal(epsilon), Decimal(delta))
    assert delta_of(epsilon=float(epsilon), mu=mu) <= float(delta)
    assert delta_of(epsilon=float(epsilon), mu=mu * (1 + 1e-6)) > float(delta)


@pytest.mark.parametrize(("epsilon", "delta"), CASES)
def test_dp_accounting_agrees(epsilon: str, delta: str) -> None:
    release = _release(calibrate(Decimal(epsilon), Decimal(delta)))
    assert second_opinion([release], delta=Decimal(delta)) == pytest.approx(float(epsilon), rel=1e-3)
    verify([release], epsilon=Decimal(epsilon), delta=Decimal(delta))


def test_the_published_value_is_met() -> None:
    # The exact sigma for epsilon = 1, delta = 1e-5, sensitivity 1 (Balle & Wang's algorithm 1) is 3.730632.
    assert 1 / calibrate(Decimal(1), Decimal("1e-5")) == pytest.approx(3.730632, abs=1e-5)


@given(
    st.decimals("0.01", "10", places=3), st.decimals("0.01", "10", places=3), st.sampled_from(["1e-9", "1e-6", "1e-3"])
)
@settings(max_examples=50, deadline=None)
def test_more_loss_never_needs_more_noise(one: Decimal, other: Decimal, delta: str) -> None:
    small, large = sorted((one, other))
    assert calibrate(small, Decimal(delta)) <= calibrate(large, Decimal(delta))
    assert calibrate(small, Decimal(delta)) <= calibrate(small, Decimal(delta) * 10)


@given(st.floats(0.05, 5), st.floats(0, 5), st.floats(1.01, 3))
@settings(max_examples=100, deadline=None)
def test_delta_falls_with_epsilon_and_rises_with_mu(mu: float, epsilon: float, factor: float) -> None:
    assert delta_of(epsilon=epsilon * factor, mu=mu) <= delta_of(epsilon=epsilon, mu=mu) + 1e-15
    assert delta_of(epsilon=epsilon, mu=mu * factor) >= delta_of(epsilon=epsilon, mu=mu) - 1e-15


def test_composition_is_exact_whatever_the_shares() -> None:
    mu = calibrate(Decimal(1), Decimal("1e-6"))
    parts = [_release(mu * math.sqrt(0.01), 1), _release(mu * math.sqrt(0.99), 300)]
    assert math.sqrt(sum(part.mu_squared for part in parts)) == pytest.approx(mu, rel=1e-9)
    verify(parts, epsilon=Decimal(1), delta=Decimal("1e-6"))


@pytest.mark.parametrize("broken", ["half the noise", "one per cent less", "one release more in a hundred"])
def test_too_little_noise_is_refused_before_any_release(broken: str) -> None:
    release = _release(calibrate(Decimal(1), Decimal("1e-6")))
    changed = {
        "half the noise": Release(UNIT, release.scale / 2, 200),
        "one per cent less": Release(UNIT, release.scale * 0.99, 200),
        "one release more in a hundred": Release(UNIT, release.scale, 202),
    }[broken]
    with pytest.raises(AccountingError, match="does not give epsilon"):
        verify([changed], epsilon=Decimal(1), delta=Decimal("1e-6"))


def test_the_second_accountant_alone_would_refuse_too(monkeypatch: pytest.MonkeyPatch) -> None:
    release = _release(calibrate(Decimal(1), Decimal("1e-6")))
    monkeypatch.setattr("secure_ml.privacy.accounting.delta_of", lambda *, epsilon, mu: 0.0)
    with pytest.raises(AccountingError, match="dp_accounting"):
        verify([Release(UNIT, release.scale / 1.01, 200)], epsilon=Decimal(1), delta=Decimal("1e-6"))


def test_noise_too_coarse_for_the_proof_is_refused() -> None:
    with pytest.raises(AccountingError, match="finer"):
        verify([Release(1, 3.0, 1)], epsilon=Decimal(1), delta=Decimal("1e-6"))


@pytest.mark.parametrize(("epsilon", "delta"), [("0", "1e-6"), ("-1", "1e-6"), ("1", "0"), ("1", "1"), ("1001", "0.1")])
def test_parameters_out_of_range_are_refused(epsilon: str, delta: str) -> None:
    with pytest.raises(AccountingError):
        calibrate(Decimal(epsilon), Decimal(delta))


@pytest.mark.parametrize("sigma", [4.0, 6.0])
def test_a_discrete_gaussian_is_a_rounded_continuous_one_of_nine_less_variance(sigma: float) -> None:
    """The step on which the accounting rests, by numerical integration for one coordinate."""
    from scipy.integrate import quad

    whole = np.arange(-200, 201)

    def continuous(y: float) -> float:
        return math.exp(-(y**2) / 2 / (sigma**2 - 9)) / math.sqrt(2 * math.pi * (sigma**2 - 9))

    def rounded(y: float, x: int) -> float:
        return math.exp(-((x - y) ** 2) / 18) / float(np.exp(-((whole - y) ** 2) / 18).sum())

    mass = np.exp(-(whole**2) / 2 / sigma**2)
    for x in (0, 1, 7, 15):
        found, _ = quad(lambda y, x=x: continuous(y) * rounded(y, x), -120, 120, epsabs=1e-14, limit=500)
        assert found == pytest.approx(mass[200 + x] / mass.sum(), rel=1e-9)


@pytest.mark.parametrize("shift", [(10, 0, 0), (6, 8, 0), (5, 5, 7)])
def test_the_discrete_vector_mechanism_costs_no_more_than_accounted_in_any_direction(shift: tuple[int, ...]) -> None:
    """The exact delta of a discrete mechanism on three coordinates, by convolution of its privacy loss."""
    sigma, epsilon = 12.0, 1.0
    whole = np.arange(-130, 131)
    mass = np.exp(-(whole**2) / 2 / sigma**2)
    mass /= mass.sum()
    # The loss is linear in each coordinate: (2 x s + s^2) / (2 sigma^2), x the noise.
    losses, weights = np.zeros(1), np.ones(1)
    for s in shift:
        if s:
            losses = np.add.outer(losses, (2 * whole * s + s * s) / (2 * sigma**2)).ravel()
            weights = np.multiply.outer(weights, mass).ravel()
    exact = float((weights * np.maximum(0.0, 1 - np.exp(epsilon - losses))).sum())
    release = Release(sum(s * s for s in shift), sigma, 1)
    accounted = delta_of(epsilon=epsilon, mu=math.sqrt(release.mu_squared))
    assert exact <= accounted
    assert exact > accounted / 2
