"""Resampling of subjects, as weights of rows.

Belongs here: the draws. Must stay out: the figures that are computed under them, and any noise that protects a person
(a numpy generator serves an interval and never privacy).
"""

from collections.abc import Iterator

import numpy as np

from secure_ml.assessment.records import Floats, Integers

_BLOCK_CELLS = 250_000
"""Weights held at once, so that memory does not grow with rows times resamples."""


def resample(subject_codes: Integers, *, resamples: int, generator: np.random.Generator) -> Iterator[Floats]:
    """Draws subjects with replacement; all rows of a subject go together, since they are not independent.

    Args:
        subject_codes: (rows,) subjects as numbers from 0, without a gap.
        resamples: how many draws.
        generator: source of the draws.

    Yields:
        (block, rows) how often each row stands in each resample.
    """
    subjects = int(subject_codes.max()) + 1
    block = max(1, _BLOCK_CELLS // len(subject_codes))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = generator.integers(0, subjects, (size, subjects))
        drawn += np.arange(size)[:, None] * subjects
        counts = np.bincount(drawn.ravel(), minlength=size * subjects).reshape(size, subjects)
        yield counts[:, subject_codes].astype(np.float64)
