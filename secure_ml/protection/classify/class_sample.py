"""How many rows a set of columns singles out, from some of its classes, each of which is known whole.

Belongs here: the sample of one set of columns and its bound. Must stay out: which sets are looked at.

A class is all rows that agree in these columns; it singles out whom it holds alone. A sample of rows would call many
unique that are not, since the others of their class were left out. So classes are sampled instead: one whose number
begins with so many zero bits is in, with all of its rows, and any other is out, whenever its rows come.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secure_ml.protection.classify.cell_hashes import Hashes

CONFIDENCE = 0.99
"""Of the two-sided bound of a share."""

_WAITING = 32_768


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of rows, 0..1, with its bound; the three are equal where nothing was estimated.

    Attributes:
        share: the unbiased estimate.
        low: it is no less, and
        high: no more, both with `CONFIDENCE`.
        classes: how many classes it was counted in.
    """

    share: float
    low: float
    high: float
    classes: int


class ClassSample:
    """The sampled classes of one set of columns: rows, and the least and greatest number among their subjects."""

    def __init__(self) -> None:
        self._classes: Hashes = np.empty(0, np.uint64)
        self._rows: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._least: Hashes = np.empty(0, np.uint64)
        self._greatest: Hashes = np.empty(0, np.uint64)
        self._waiting: list[tuple[Hashes, Hashes]] = []
        self._waiting_rows = 0

    def add(self, classes: Hashes, subjects: Hashes) -> None:
        """Count rows, given the numbers of their classes and of their subjects."""
        self._waiting.append((classes, subjects))
        self._waiting_rows += len(classes)
        if self._waiting_rows > _WAITING:
            self._merge()

    def keep_below(self, limit: int) -> None:
        """Leave only the classes whose number is below `limit`."""
        self._merge()
        kept = self._classes < np.uint64(limit)
        self._classes, self._rows = self._classes[kept], self._rows[kept]
        self._least, self._greatest = self._least[kept], self._greatest[kept]

    def share(self, rows: int, *, level: int) -> Share:
        """The share of a table's rows whose class holds one subject alone.

        Args:
            rows: of the table.
            level: zero bits that the number of a sampled class begins with: it was sampled with 2^-level.
        """
        self._merge()
        singled = self._rows[self._least == self._greatest]
        seen, others = int(singled.sum()), int(self._rows.sum()) - int(singled.sum())
        if not rows or not level:
            share = seen / rows if rows else 0.0
            return Share(share=share, low=share, high=share, classes=self._classes.size)
        low, high = _bound(singled * 2.0**level, lightest=2.0**level)
        return Share(
            share=min(1.0, seen * 2.0**level / rows),
            low=max(low, seen) / rows,
            high=min(high, rows - others) / rows,
            classes=self._classes.size,
        )

    def _merge(self) -> None:
        if not self._waiting:
            return
        new, subjects = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting, self._waiting_rows = [], 0
        classes = np.concatenate([self._classes, new])
        if not classes.size:
            return
        order = np.argsort(classes)
        classes = classes[order]
        starts = np.flatnonzero(np.append(True, classes[1:] != classes[:-1]))
        rows = np.concatenate([self._rows, np.ones(len(new), np.int64)])[order]
        least, greatest = (np.concatenate([kept, subjects])[order] for kept in (self._least, self._greatest))
        self._classes, self._rows = classes[starts], np.add.reduceat(rows, starts)
        self._least, self._greatest = np.minimum.reduceat(least, starts), np.maximum.reduceat(greatest, starts)


def _bound(weights: npt.NDArray[np.float64], *, lightest: float) -> tuple[float, float]:
    """Bounds of a sum of which every term was kept with one small probability, and weighs its inverse since.

    The gamma interval of Fay and Feuer, "Confidence intervals for directly standardized rates" (1997): for equal
    weights it is the exact interval of a Poisson count, and it never fell short of its confidence in their studies.
    """
    from scipy.stats import gamma

    tail = (1 - CONFIDENCE) / 2
    total, variance = float(weights.sum()), float((weights**2).sum())
    heaviest = float(weights.max(initial=lightest))
    low = gamma.ppf(tail, total**2 / variance, scale=variance / total) if total else 0.0
    above, spread = total + heaviest, variance + heaviest**2
    return float(low), float(gamma.ppf(1 - tail, above**2 / spread, scale=spread / above))
