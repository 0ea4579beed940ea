"""Does a column give the label away?

Belongs here: how well its levels alone rank the label. Must stay out: what is done about it.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.protection.draft.holders import FEWEST_PEOPLE

GIVES_AWAY = 0.985
"""AUC from which a column is taken for the outcome itself, known only afterwards, and is not drafted as a feature."""

STRIKING = 0.93
"""AUC from which the drafted bound on single features is raised, and the steward is told."""

_MOST_LEVELS = 64


def telling(values: pa.Array, positive: npt.NDArray[np.bool_]) -> float:
    """AUC of the label ranked by the share of positives in each level of a column, on the same rows.

    Levels hold at least `FEWEST_PEOPLE` rows, or are put together, so that chance adds little.

    Args:
        values: the column as its type.
        positive: each row's outcome.
    """
    yes, no = int(positive.sum()), int((~positive).sum())
    if not yes or not no:
        return 0.5
    level = _levels(values)
    size = np.bincount(level)
    level = np.where(size[level] < FEWEST_PEOPLE, len(size), level)
    counts = np.zeros((len(size) + 1, 2))
    np.add.at(counts, (level, positive.astype(np.int64)), 1)
    counts = counts[counts.sum(axis=1) > 0]
    counts = counts[np.argsort(counts[:, 1] / counts.sum(axis=1))]
    below = np.cumsum(counts[:, 0]) - counts[:, 0]
    return float((counts[:, 1] * (below + counts[:, 0] / 2)).sum() / (yes * no))


def _levels(values: pa.Array) -> npt.NDArray[np.int64]:
    missing = np.asarray(pc.is_null(values))
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        present = numbers[~missing]
        count = max(2, min(_MOST_LEVELS, len(present) // FEWEST_PEOPLE))
        edges = np.unique(np.quantile(present, np.arange(1, count) / count)) if len(present) else np.zeros(1)
        return np.where(missing, len(edges) + 1, np.searchsorted(edges, numbers, side="right")).astype(np.int64)
    codes = values.cast(pa.string()).dictionary_encode(null_encoding="encode").indices
    encoded: npt.NDArray[np.int64] = codes.to_numpy(zero_copy_only=False).astype(np.int64)
    return encoded
