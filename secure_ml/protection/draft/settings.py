"""Settings that follow from the size of the table alone.

Belongs here: shares, privacy loss and bounds for small and large tables, with the reason. Must stay out: columns.
"""

from dataclasses import dataclass
from decimal import Decimal

from secure_ml.protection.draft.telling import STRIKING

_TRAININGS = 5


@dataclass(frozen=True)
class Settings:
    """What the draft says about split, training and leakage."""

    validation: str
    test: str
    why_test: str
    epsilon: str
    why_epsilon: str
    delta: str
    rounds: int
    leakage: str
    why_leakage: str
    intervals: int

    @property
    def budget_epsilon(self) -> str:
        """Privacy loss of a few trainings."""
        return f"{Decimal(self.epsilon) * _TRAININGS:f}"

    @property
    def budget_delta(self) -> str:
        """Failure probability of a few trainings."""
        return f"{Decimal(self.delta) * _TRAININGS:f}"


def settings_for(people: int, *, most_telling: float) -> Settings:
    """Settings for a table.

    Args:
        people: how many people it holds, or a lower bound.
        most_telling: largest AUC of a drafted feature alone.
    """
    small, medium = people < 2_000, people < 20_000
    striking = most_telling >= STRIKING
    return Settings(
        validation="0.1" if medium else "0.15",
        test="0.35" if small else "0.25" if medium else "0.15",
        why_test="a small table needs many people here, or its figures are suppressed" if medium else "drafted",
        epsilon="3" if small else "2" if medium else "1",
        why_epsilon="a small table learns little under less; below 1 is strong"
        if medium
        else "privacy loss of one training",
        delta=f"0.{'0' * max(5, len(str(people)))}1",
        rounds=100 if small else 200,
        leakage="0.995" if striking else "0.95",
        why_leakage=(
            "raised, since a feature alone ranks the label strikingly well: see what is to be settled above"
            if striking
            else "a feature that alone ranks the label better gives it away"
        ),
        intervals=5 if small else 8 if medium else 12,
    )
