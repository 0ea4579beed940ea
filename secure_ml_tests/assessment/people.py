"""Invented rows for the assessment's tests."""

from collections.abc import Mapping

import numpy as np

from secure_ml.assessment.scored import Scored
from secure_ml.policy.gates import DisclosureControl

CONTROL = DisclosureControl(minimum_cell=30, minimum_positives=10)


def scored(
    rows: int = 4000,
    *,
    seed: int = 1,
    subjects: int | None = None,
    groups: Mapping[str, Mapping[str, float]] | None = None,
    periods: int = 6,
) -> Scored:
    """Rows whose score is their true probability of a positive outcome."""
    generator = np.random.default_rng(seed)
    score = 1 / (1 + np.exp(-1.2 * generator.normal(size=rows)))
    label = generator.random(rows) < score
    tokens = None
    if subjects is not None:
        tokens = np.array([f"token-{i % subjects}" for i in range(rows)], dtype=object)
    period = np.array([f"2031-{i % periods + 1:02}" for i in range(rows)])
    drawn = {
        name: generator.choice(list(shares), rows, p=list(shares.values())) for name, shares in (groups or {}).items()
    }
    return Scored(label, score, tokens, period, drawn)


def counted(**groups: tuple[int, int]) -> Scored:
    """Rows with exact groups: `name=(negatives, positives)`; every second decision of each is positive."""
    label, group = [], []
    for name, (negatives, positives) in groups.items():
        label += [False] * negatives + [True] * positives
        group += [name] * (negatives + positives)
    score = np.where(np.arange(len(label)) % 2 == 0, 0.8, 0.2)
    return Scored(np.array(label), score, None, np.full(len(label), "2031-01"), {"colour": np.array(group)})
