"""What the checks of a split ask, in one pass: does anything reach across the sides, or give the label away?

Belongs here: counts and AUCs. Must stay out: thresholds' verdicts in Dagster's words, and any value of a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from secure_ml.access.stages import PERIOD, SIDE, SIDES, TRAIN
from secure_ml.policy.gates import LeakageGate
from secure_ml.policy.project import Policy
from secure_ml.training.columns import content_digests, outcome, row_bytes
from secure_ml.training.single_feature import FeatureCounts
from secure_ml.vault.dataset import Dataset


@dataclass(frozen=True)
class SideFacts:
    """One side's size.

    Attributes:
        rows: rows.
        positives: rows with the positive outcome.
    """

    rows: int
    positives: int

    @property
    def one_class(self) -> bool:
        """Whether nothing can be learned or measured here."""
        return self.positives in {0, self.rows}


@dataclass(frozen=True)
class SplitFacts:
    """What a split looks like; exact figures of the masked table, not covered by differential privacy.

    Attributes:
        sides: size of each side.
        periods: periods that occur.
        subjects_on_two_sides: subjects with rows on more than one side; must be 0.
        rows_on_two_sides: distinct rows, subject included, that occur on more than one side; must be 0. Without a
            subject column equal rows cannot be told from one another, and this is 0.
        alike_on_two_sides: distinct combinations of features and label that occur on more than one side. Different
            people can look alike, so this is for information.
        single_feature_auc: for each feature, how well it alone ranks the training side; None where one class is
            missing.
    """

    sides: Mapping[str, SideFacts]
    periods: tuple[str, ...]
    subjects_on_two_sides: int
    rows_on_two_sides: int
    alike_on_two_sides: int
    single_feature_auc: Mapping[str, float | None]

    @property
    def separate(self) -> bool:
        """Whether no subject and no row lies on two sides."""
        return self.subjects_on_two_sides == 0 and self.rows_on_two_sides == 0

    @property
    def one_class_sides(self) -> tuple[str, ...]:
        """Sides that are empty or hold one outcome only."""
        return tuple(name for name, side in self.sides.items() if side.one_class)

    def leaking(self, gate: LeakageGate) -> tuple[str, ...]:
        """Features that give the label away."""
        limit = gate.maximum_single_feature_auc
        return tuple(name for name, auc in self.single_feature_auc.items() if auc is not None and auc > limit)


def examine(dataset: Dataset, policy: Policy, *, pass_key: bytes) -> SplitFacts:
    """One pass over a split.

    Args:
        dataset: what `split` made, all sides.
        policy: names the columns.
        pass_key: 32 to 64 random bytes for this pass alone: what it holds of people in memory is of no use after it.

    Raises:
        TrainingError: the key is short.
    """
    features, subject = tuple(policy.features), policy.subject.column if policy.subject is not None else None
    counts = {name: FeatureCounts(dataset.schema.field(name).type) for name in features}
    rows, positives = dict.fromkeys(SIDES, 0), dict.fromkeys(SIDES, 0)
    crossings = {name: _Crossing(pass_key) for name in ("subject", "row", "alike")}
    periods: dict[str, None] = {}
    position = 0
    identity = () if subject is None else (subject,)
    for batch in dataset.scan([*features, policy.label.column, *identity, PERIOD, SIDE]):
        yes = np.asarray(outcome(batch, policy).fill_null(False))
        side = np.asarray(batch.column(SIDE).to_pylist(), dtype=object)
        periods |= dict.fromkeys(batch.column(PERIOD).unique().to_pylist())
        for name in SIDES:
            rows[name] += int((side == name).sum())
            positives[name] += int(yes[side == name].sum())
        crossings["alike"].add(row_bytes(batch, (*features, policy.label.column)), side)
        if subject is not None:
            crossings["subject"].add(row_bytes(batch, identity), side)
            crossings["row"].add(row_bytes(batch, (*identity, *features, policy.label.column)), side)
        train = side == TRAIN
        fold = _folds(position, batch.num_rows)[train]
        position += batch.num_rows
        for name in features:
            counts[name].add(batch.column(name).filter(pa.array(train)), yes[train], fold)
    return SplitFacts(
        sides={name: SideFacts(rows[name], positives[name]) for name in SIDES},
        periods=tuple(periods),
        subjects_on_two_sides=crossings["subject"].count(),
        rows_on_two_sides=crossings["row"].count(),
        alike_on_two_sides=crossings["alike"].count(),
        single_feature_auc={name: counted.auc() for name, counted in counts.items()},
    )


def _folds(start: int, rows: int) -> NDArray[np.intp]:
    """Fold 0 or 1 of each row: the top bit of a golden-ratio sequence, even over any stretch of rows."""
    position = np.arange(start, start + rows, dtype=np.uint64)
    return (position * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(63)).astype(np.intp)


class _Crossing:
    """Which contents were seen on which sides, as short keyed digests."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._sides: dict[bytes, int] = {}

    def add(self, contents: list[bytes], sides: NDArray[np.object_]) -> None:
        bit = {name: 1 << i for i, name in enumerate(SIDES)}
        for digest, side in zip(content_digests(contents, key=self._key), sides, strict=True):
            self._sides[digest] = self._sides.get(digest, 0) | bit[side]

    def count(self) -> int:
        return sum(1 for mask in self._sides.values() if mask & (mask - 1))
