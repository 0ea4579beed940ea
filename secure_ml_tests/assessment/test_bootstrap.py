import numpy as np

from secure_ml.assessment.bootstrap import resample


def test_rows_of_a_subject_are_drawn_together_and_each_draw_has_as_many_subjects() -> None:
    codes = np.array([0, 1, 1, 2, 2, 2])
    weights = np.concatenate(list(resample(codes, resamples=200, generator=np.random.default_rng(3))))
    assert weights.shape == (200, 6)
    assert (weights[:, 1] == weights[:, 2]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_many_rows_come_in_blocks_and_still_as_many_draws() -> None:
    codes = np.arange(100_000)
    blocks = list(resample(codes, resamples=5, generator=np.random.default_rng(3)))
    assert [len(block) for block in blocks] == [2, 2, 1]


def test_the_same_generator_gives_the_same_draws() -> None:
    first, second = (list(resample(np.arange(50), resamples=3, generator=np.random.default_rng(9))) for _ in range(2))
    assert (first[0] == second[0]).all()
