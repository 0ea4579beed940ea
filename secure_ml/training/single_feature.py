"""How well one feature alone tells the outcome.

Belongs here: counting levels and the AUC from them. Must stay out: what is too much (the policy's gate).

Two views, of which the larger counts. By rank, for numbers: a monotone relation. By rate, for all: each row is scored
by the share of positives among the rows of the other fold with the same level, so that a column of ever-new values
scores 0.5 and not 1, and a relation that is not monotone is seen too. A missing cell is a level of its own.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_LEVELS = 64
"""Levels into which the rate view cuts a number with more values."""

_PRIOR_ROWS = 2.0
"""Weight of the overall share in a level's share."""


class FeatureCounts:
    """Rows of one feature by level, fold and outcome, added up batch by batch; memory grows with distinct values only.

    Args:
        kind: the column's type.
    """

    def __init__(self, kind: pa.DataType) -> None:
        self._numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        self._levels: pa.Array = pa.array([], kind)
        self._counts = np.zeros((0, 2, 2), dtype=np.int64)

    def add(self, column: pa.Array, positive: NDArray[np.bool_], fold: NDArray[np.intp]) -> None:
        """Counts a batch.

        Args:
            column: cells.
            positive: the outcome of each row.
            fold: 0 or 1 for each row.
        """
        encoded = pc.dictionary_encode(column, null_encoding="encode")
        index = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
        size = len(encoded.dictionary)
        batch = np.bincount(index * 4 + fold * 2 + positive, minlength=size * 4).reshape(size, 2, 2)
        merged = pc.dictionary_encode(pa.concat_arrays([self._levels, encoded.dictionary]), null_encoding="encode")
        total = np.zeros((len(merged.dictionary), 2, 2), dtype=np.int64)
        np.add.at(total, np.asarray(merged.indices), np.concatenate([self._counts, batch]))
        self._levels, self._counts = merged.dictionary, total

    def auc(self) -> float | None:
        """The larger of the two views' AUC, at least 0.5; None where one outcome is missing."""
        if not (self._counts[:, :, 0].any() and self._counts[:, :, 1].any()):
            return None
        best = [0.5]
        counts = self._counts
        if self._numeric:
            numbers = np.asarray(pc.cast(self._levels, pa.float64(), safe=False).to_numpy(zero_copy_only=False))
            both = counts.sum(axis=1)
            for missing in (-np.inf, np.inf):
                ranked = _auc(np.where(np.isnan(numbers), missing, numbers), both)
                best += [ranked, 1 - ranked]
            counts = _merge_levels(numbers, counts)
        return float(max(*best, _rate_auc(counts)))


def _merge_levels(numbers: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Neighbouring numbers put together into levels of about equal size; a value never falls into two."""
    order = np.argsort(numbers)  # a missing one sorts last
    size = counts.sum(axis=(1, 2))[order]
    level = (np.cumsum(size) - size) * _LEVELS // max(1, int(size.sum()))
    level[np.isnan(numbers[order])] = _LEVELS
    merged = np.zeros((_LEVELS + 1, 2, 2), dtype=np.int64)
    np.add.at(merged, level, counts[order])
    return merged


def _rate_auc(counts: NDArray[np.int64]) -> float:
    other = counts[:, ::-1, :]
    totals = other.sum(axis=0)
    base = (totals[:, 1] + 1) / (totals.sum(axis=1) + 2)
    rate = (other[:, :, 1] + _PRIOR_ROWS * base) / (other.sum(axis=2) + _PRIOR_ROWS)
    # Both folds are ranked apart: their base rates differ, which would itself rank a little.
    present = [f for f in (0, 1) if counts[:, f, 0].any() and counts[:, f, 1].any()]
    return float(np.mean([_auc(rate[:, f], counts[:, f]) for f in present])) if present else 0.5


def _auc(scores: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    """The chance that a positive scores above a negative, ties counting half; `counts` is levels x (no, yes)."""
    _, place = np.unique(scores, return_inverse=True)
    grouped = np.zeros((int(place.max()) + 1, 2))
    np.add.at(grouped, place, counts)
    below = np.cumsum(grouped[:, 0]) - grouped[:, 0]
    pairs = (grouped[:, 1] * (below + grouped[:, 0] / 2)).sum()
    return float(pairs / (grouped[:, 0].sum() * grouped[:, 1].sum()))
