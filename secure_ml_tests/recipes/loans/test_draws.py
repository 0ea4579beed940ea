import numpy as np
import pytest

from secure_ml.recipes.loans.draws import Draws


def draws(seed: int = 1, count: int = 100_000, first: int = 0) -> Draws:
    return Draws(seed, "test", np.arange(first, first + count, dtype=np.uint64))


def test_a_draw_depends_on_its_own_number_only():
    alone = draws(first=500, count=10).uniform("x")
    assert np.array_equal(draws().uniform("x")[500:510], alone)


def test_names_units_and_seeds_draw_apart():
    base = draws()
    others = [base.uniform("y"), Draws(1, "other", base.numbers).uniform("x"), draws(seed=2).uniform("x")]
    assert all(abs(np.corrcoef(base.uniform("x"), other)[0, 1]) < 0.02 for other in others)


def test_uniform_fills_the_unit_interval_evenly():
    """Chi-square over 100 cells, 99 degrees of freedom; 160 is passed by chance once in 10,000."""
    counts = np.histogram(draws().uniform("x"), bins=100, range=(0, 1))[0]
    assert ((counts - 1000.0) ** 2 / 1000.0).sum() < 160


def test_normal_has_mean_zero_and_variance_one():
    values = draws().normal("x")
    assert abs(values.mean()) < 0.016
    assert abs(values.var() - 1) < 0.02


def test_pick_follows_the_weights():
    shares = np.bincount(draws().pick("x", [1, 2, 7]), minlength=3) / 100_000
    assert np.allclose(shares, [0.1, 0.2, 0.7], atol=0.01)


@pytest.mark.parametrize(("left", "right"), [(10, 10), (100, 1000), (26**3, 7)])
def test_scatter_is_one_to_one_and_keeps_to_its_domain(left: int, right: int):
    scattered = draws(count=left * right).scatter("x", left, right)
    assert np.array_equal(np.sort(scattered), np.arange(left * right))
    assert not np.array_equal(scattered, np.arange(left * right))
