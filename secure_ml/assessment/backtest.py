"""Does the model hold over time: each period on its own, and a model of the past tried on the periods after it.

Belongs here: figures by period. Must stay out: training that second model, and drift of live data.
"""

from collections.abc import Sequence

import numpy as np

from secure_ml.assessment.disclosure import count_cells, suppress
from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.performance import measure_auc, require_two_classes
from secure_ml.assessment.records import SUPPRESSED, Floats, Published, PublishedRecord, Suppressed, rounded
from secure_ml.assessment.scored import Scored
from secure_ml.policy.gates import DisclosureControl

_PSI_BINS = 10
_PSI_FLOOR = 1e-4
"""An empty bin counts as this share, since the index is otherwise infinite."""


class Period(PublishedRecord):
    """One period of the test side; every figure is hidden when the period is small, or would give a small one away."""

    period: str
    rows: int | Suppressed
    auc: Published
    positive_rate: float | Suppressed
    mean_score: float | Suppressed
    population_stability_index: float | Suppressed


class TemporalBacktest(PublishedRecord):
    """Figures by period.

    Attributes:
        periods: in time order.
        reference: the period that the stability index compares with: the first one shown; None when none is.
        backtest_auc: AUC, on the later periods, of a second model trained on the earlier ones; None when there is none.
        backtest_periods: the periods that it was tried on.
    """

    periods: tuple[Period, ...]
    reference: str | None
    backtest_auc: Published | None
    backtest_periods: tuple[str, ...]


def backtest(
    scored: Scored,
    *,
    second_model: Scored | None,
    order: Sequence[str],
    control: DisclosureControl,
    resamples: int,
    generator: np.random.Generator,
) -> TemporalBacktest:
    """Compares periods.

    Args:
        scored: the test side under the candidate.
        second_model: rows of the later periods under the model that was trained on the earlier ones, if there is one.
        order: every period's key, in time order.
        control: smallest cells that may be shown.
        resamples: bootstrap draws behind each interval.
        generator: source of the draws.

    Raises:
        AssessmentError: a row's period is not in `order`, or the second model's rows have one class only.
    """
    names, code = _periods(scored, order)
    hidden = suppress(count_cells(scored, code, cells=len(names)), control=control).hidden
    shown = np.flatnonzero(~hidden)
    reference = scored.score[code == shown[0]] if shown.size else None
    periods = []
    for i, name in enumerate(names):
        if hidden[i] or reference is None:
            periods.append(Period(period=name, **dict.fromkeys(list(Period.model_fields)[1:], SUPPRESSED)))
            continue
        part = scored.only(code == i)
        periods.append(
            Period(
                period=name,
                rows=part.rows,
                auc=measure_auc(part, control=control, resamples=resamples, generator=generator),
                positive_rate=rounded(part.label.mean()),
                mean_score=rounded(part.score.mean()),
                population_stability_index=rounded(population_stability_index(reference, part.score)),
            )
        )
    later: tuple[str, ...] = ()
    auc: Published | None = None
    if second_model is not None:
        require_two_classes(second_model)
        later = _periods(second_model, order)[0]
        auc = measure_auc(second_model, control=control, resamples=resamples, generator=generator)
    first = names[int(shown[0])] if shown.size else None
    return TemporalBacktest(periods=tuple(periods), reference=first, backtest_auc=auc, backtest_periods=later)


def population_stability_index(reference: Floats, current: Floats) -> float:
    """How far `current` is spread otherwise than `reference`, over the reference's tenths.

    The sum over bins of (current share - reference share) x ln(current share / reference share); below 0.1 is read as
    stable, above 0.25 as a shift (Siddiqi, "Credit Risk Scorecards", 2006).
    """
    edges = np.unique(np.quantile(reference, np.arange(1, _PSI_BINS) / _PSI_BINS))
    before, now = (
        np.maximum(np.bincount(np.searchsorted(edges, s, side="right"), minlength=len(edges) + 1) / len(s), _PSI_FLOOR)
        for s in (reference, current)
    )
    return float(((now - before) * np.log(now / before)).sum())


def _periods(scored: Scored, order: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    place = {name: i for i, name in enumerate(order)}
    distinct, inverse = np.unique(scored.period, return_inverse=True)
    unknown = [str(name) for name in distinct if str(name) not in place]
    if unknown:
        raise AssessmentError(
            f"{len(unknown)} periods of the rows are not among the project's partitions; "
            "pass every partition key, in time order"
        )
    positions = np.array([place[str(name)] for name in distinct])
    ranked = np.argsort(positions)
    code = np.empty(len(ranked), dtype=np.int64)
    code[ranked] = np.arange(len(ranked))
    return tuple(str(distinct[i]) for i in ranked), code[inverse]
