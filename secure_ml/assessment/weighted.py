"""Figures of binary decisions as functions of row weights: with ones they are the figure, with draws its bootstrap.

Belongs here: the vectorised arithmetic, one definition for value and interval. Must stay out: what is published of it.
"""

from dataclasses import dataclass

import numpy as np

from secure_ml.assessment.records import Floats, Integers
from secure_ml.assessment.scored import Scored

EQUAL_WIDTH_BINS = 10
"""Bins of the expected calibration error (Guo et al., 2017)."""

_TINY = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class RowTerms:
    """What each row adds to the figures that are ratios of sums.

    Attributes:
        terms: (rows, 6 + bins) one, correct, twice true positive, wrong, log loss, squared error, and label minus score
            in the row's bin.
    """

    terms: Floats

    @classmethod
    def of(cls, scored: Scored) -> "RowTerms":
        """Prepares the rows once for any number of weights."""
        y, p, decided = scored.label.astype(np.float64), scored.score, scored.predicted
        clipped = np.clip(p, _TINY, 1 - _TINY)
        terms = np.zeros((scored.rows, 6 + EQUAL_WIDTH_BINS))
        terms[:, 0] = 1
        terms[:, 1] = decided == scored.label
        terms[:, 2] = 2 * (decided & scored.label)
        terms[:, 3] = decided != scored.label
        terms[:, 4] = -np.where(scored.label, np.log(clipped), np.log1p(-clipped))
        terms[:, 5] = (y - p) ** 2
        terms[np.arange(scored.rows), 6 + equal_width_bin(p)] = y - p
        return cls(terms)

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """Accuracy, F1, log loss, Brier score and expected calibration error.

        Args:
            weights: (draws, rows).

        Returns:
            (draws,) for each figure.
        """
        totals = weights @ self.terms
        n, correct, twice_tp, wrong, loss, square = totals[:, :6].T
        return {
            "accuracy": correct / n,
            # No positive row and no positive decision: F1 is 0, as scikit-learn has it.
            "f1": np.divide(twice_tp, twice_tp + wrong, out=np.zeros_like(n), where=twice_tp + wrong > 0),
            "log_loss": loss / n,
            "brier": square / n,
            "expected_calibration_error": np.abs(totals[:, 6:]).sum(axis=1) / n,
        }


@dataclass(frozen=True)
class Ranking:
    """Rows in descending order of score, with the starts of runs of equal scores.

    Attributes:
        order: (rows,) row numbers.
        starts: (runs,) position in `order` where each run begins.
        positive: (rows,) label of the row at each position, as 0 or 1.
    """

    order: Integers
    starts: Integers
    positive: Floats

    @classmethod
    def of(cls, scored: Scored) -> "Ranking":
        """Sorts the rows once for any number of weights."""
        order = np.argsort(-scored.score, kind="stable")
        steps = np.flatnonzero(np.diff(scored.score[order])) + 1
        return cls(order, np.concatenate([[0], steps]), scored.label[order].astype(np.float64))

    def auc(self, weights: Floats) -> Floats:
        """(draws,) area under the ROC curve, ties counted half; NaN where one class has no weight."""
        positives, negatives = self._runs(weights)
        above = np.cumsum(positives, axis=1) - positives / 2
        pairs = positives.sum(axis=1) * negatives.sum(axis=1)
        won = (above * negatives).sum(axis=1)
        return ratio(won, pairs)

    def true_positive_rates(self, weights: Floats, *, at: Floats) -> Floats:
        """(draws, len(at)) the ROC curve's height at given false-positive rates; NaN where one class has no weight."""
        positives, negatives = (np.cumsum(runs, axis=1) for runs in self._runs(weights))
        heights = np.full((len(weights), len(at)), np.nan)
        for draw in np.flatnonzero((positives[:, -1] > 0) & (negatives[:, -1] > 0)):
            across = np.concatenate([[0.0], negatives[draw] / negatives[draw, -1]])
            up = np.concatenate([[0.0], positives[draw] / positives[draw, -1]])
            heights[draw] = np.interp(at, across, up)
        return heights

    def _runs(self, weights: Floats) -> tuple[Floats, Floats]:
        ordered = weights[:, self.order]
        total = np.add.reduceat(ordered, self.starts, axis=1)
        positives = np.add.reduceat(ordered * self.positive, self.starts, axis=1)
        return positives, total - positives


def equal_width_bin(score: Floats) -> Integers:
    """(rows,) number of the bin of width 1/10 that holds each score."""
    return np.minimum((score * EQUAL_WIDTH_BINS).astype(np.int64), EQUAL_WIDTH_BINS - 1)


def indicator(code: Integers, *, codes: int) -> Floats:
    """(rows, codes) 1 where the row has the code."""
    members: Floats = (code[:, None] == np.arange(codes)).astype(np.float64)
    return members


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, NaN where it is undefined."""
    quotient: Floats = np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)
    return quotient
