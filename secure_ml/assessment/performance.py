"""How well the scores rank, decide and mean what they say, each with an interval over subjects.

Belongs here: figures of the whole test side. Must stay out: groups (fairness) and periods (backtest).
"""

from dataclasses import dataclass

import numpy as np

from secure_ml.assessment.bootstrap import resample
from secure_ml.assessment.disclosure import count_cells, small, suppress_cross_table
from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.records import (
    SUPPRESSED,
    Floats,
    Integers,
    Published,
    PublishedRecord,
    Suppressed,
    estimate,
    rounded,
)
from secure_ml.assessment.scored import Scored
from secure_ml.assessment.weighted import EQUAL_WIDTH_BINS, Ranking, RowTerms, equal_width_bin, indicator, ratio
from secure_ml.policy.gates import DisclosureControl

_ROC_POINTS = 50


class Confusion(PublishedRecord):
    """Rows by outcome and decision at the threshold 0.5."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


class RocPoint(PublishedRecord):
    """Height of the ROC curve at one false-positive rate; thresholds, which are scores of people, are not kept."""

    false_positive_rate: float
    true_positive_rate: Published


class CalibrationBin(PublishedRecord):
    """Scores from `lower` to `upper`: their mean, and the share of positive outcomes among them."""

    lower: float
    upper: float
    rows: int
    mean_score: float
    positive_rate: Published


class Performance(PublishedRecord):
    """Figures of the whole test side."""

    rows: int | Suppressed
    subjects: int | Suppressed
    positive_rate: Published
    auc: Published
    accuracy: Published
    f1: Published
    log_loss: Published
    brier: Published
    expected_calibration_error: Published
    confusion: Confusion | Suppressed
    roc: tuple[RocPoint, ...] | Suppressed
    calibration: tuple[CalibrationBin, ...] | Suppressed


def require_two_classes(scored: Scored) -> None:
    """Refuses rows of one class.

    Raises:
        AssessmentError: there is no positive, or no negative, outcome.
    """
    if scored.label.all() or not scored.label.any():
        raise AssessmentError(
            "the label has one class only on these rows, so that no model can be judged; check the policy's "
            "label.positive against the label column, or take more partitions or a larger test share"
        )


def large_enough(scored: Scored, *, control: DisclosureControl) -> bool:
    """Whether figures over all of these rows may be shown."""
    whole = count_cells(scored, np.zeros(scored.rows, np.int64), cells=1)
    return not small(whole, control=control)[0]


def measure(
    scored: Scored, *, control: DisclosureControl, resamples: int, generator: np.random.Generator
) -> Performance:
    """Measures the test side.

    Args:
        scored: the rows; outcomes of both classes.
        control: smallest cells that may be shown.
        resamples: bootstrap draws behind each interval.
        generator: source of the draws.

    Raises:
        AssessmentError: the label has one class only.
    """
    require_two_classes(scored)
    if not large_enough(scored, control=control):
        return Performance(**dict.fromkeys(Performance.model_fields, SUPPRESSED))
    curves = _Curves.of(scored, control=control)
    draws = [
        curves.figures(weights) for weights in resample(scored.subject_codes, resamples=resamples, generator=generator)
    ]
    drawn = {name: np.concatenate([block[name] for block in draws]) for name in draws[0]} if draws else {}
    point = curves.figures(np.ones((1, scored.rows)))
    single = [name for name in point if point[name].ndim == 1]
    return Performance(
        rows=scored.rows,
        subjects=int(scored.subject_codes.max()) + 1,
        confusion=_confusion(scored, control=control),
        roc=curves.roc_points(point["roc"][0], drawn["roc"]),
        calibration=curves.calibration_bins(point["calibration"][0], drawn["calibration"]),
        **{name: estimate(point[name][0], drawn[name]) for name in single},
    )


def measure_auc(
    scored: Scored, *, control: DisclosureControl, resamples: int, generator: np.random.Generator
) -> Published:
    """The area under the ROC curve alone, of rows that are large enough to show it."""
    if not large_enough(scored, control=control):
        return SUPPRESSED
    ranking = Ranking.of(scored)
    blocks = resample(scored.subject_codes, resamples=resamples, generator=generator)
    drawn = np.concatenate([ranking.auc(weights) for weights in blocks])
    return estimate(ranking.auc(np.ones((1, scored.rows)))[0], drawn)


@dataclass(frozen=True)
class _Curves:
    """Everything that is drawn again for each resample."""

    terms: RowTerms
    ranking: Ranking
    label: Floats
    score: Floats
    grid: Floats
    bins: Floats
    edges: tuple[int, ...]

    @classmethod
    def of(cls, scored: Scored, *, control: DisclosureControl) -> "_Curves":
        edges = _merge(scored, control=control)
        code = np.searchsorted(np.array(edges[1:-1], dtype=np.int64), equal_width_bin(scored.score), side="right")
        # Between two points of the curve lie at least minimum_cell negative rows.
        steps = min(_ROC_POINTS, int((~scored.label).sum()) // control.minimum_cell)
        grid = np.arange(1, steps) / max(steps, 1)
        bins = indicator(code.astype(np.int64), codes=len(edges) - 1)
        label = scored.label.astype(np.float64)
        return cls(RowTerms.of(scored), Ranking.of(scored), label, scored.score, grid, bins, edges)

    def figures(self, weights: Floats) -> dict[str, Floats]:
        positives = weights * self.label
        return {
            **self.terms.figures(weights),
            "auc": self.ranking.auc(weights),
            "positive_rate": positives.sum(axis=1) / weights.sum(axis=1),
            "roc": self.ranking.true_positive_rates(weights, at=self.grid),
            "calibration": ratio(positives @ self.bins, weights @ self.bins),
        }

    def roc_points(self, point: Floats, drawn: Floats) -> tuple[RocPoint, ...] | Suppressed:
        points = tuple(
            RocPoint(false_positive_rate=rounded(rate), true_positive_rate=estimate(point[i], drawn[:, i]))
            for i, rate in enumerate(self.grid)
        )
        return points or SUPPRESSED

    def calibration_bins(self, point: Floats, drawn: Floats) -> tuple[CalibrationBin, ...]:
        rows = self.bins.sum(axis=0)
        means = (self.score @ self.bins) / rows
        return tuple(
            CalibrationBin(
                lower=self.edges[i] / EQUAL_WIDTH_BINS,
                upper=self.edges[i + 1] / EQUAL_WIDTH_BINS,
                rows=int(rows[i]),
                mean_score=rounded(means[i]),
                positive_rate=estimate(point[i], drawn[:, i]),
            )
            for i in range(len(rows))
        )


def _merge(scored: Scored, *, control: DisclosureControl) -> tuple[int, ...]:
    """Edges, in bins of equal width, of runs of bins that are each large enough; the whole is known to be."""
    code = equal_width_bin(scored.score)
    edges = [0]
    for edge in range(1, EQUAL_WIDTH_BINS + 1):
        if _run_is_large(scored, code, edges[-1], edge, control):
            edges.append(edge)
    # What is left at the end joins its neighbour.
    return (*edges[:-1], EQUAL_WIDTH_BINS) if len(edges) > 1 else (0, EQUAL_WIDTH_BINS)


def _run_is_large(scored: Scored, code: Integers, start: int, end: int, control: DisclosureControl) -> bool:
    inside = (code >= start) & (code < end)
    cells = count_cells(scored, inside.astype(np.int64), cells=2)
    return not small(cells, control=control)[1]


def _confusion(scored: Scored, *, control: DisclosureControl) -> Confusion | Suppressed:
    cell = 2 * scored.label.astype(np.int64) + scored.predicted
    if suppress_cross_table(scored, cell, cells=4, control=control):
        return SUPPRESSED
    tn, fp, fn, tp = np.bincount(cell, minlength=4).tolist()
    return Confusion(true_positives=tp, false_positives=fp, false_negatives=fn, true_negatives=tn)
