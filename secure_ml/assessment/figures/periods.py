"""Figures by period, and the temporal backtest over them."""

from typing import TYPE_CHECKING

from secure_ml.assessment.backtest import TemporalBacktest
from secure_ml.assessment.figures.canvas import BLUE, GREY, ORANGE, picture, plot_estimates, short
from secure_ml.assessment.records import SUPPRESSED, Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES_SHOWN = 12


def periods_picture(temporal: TemporalBacktest) -> bytes:
    """AUC by period above; mean score and share of positive outcomes below."""
    title = "Does the model hold over time"
    return picture(lambda top, below: _periods(top, below, temporal), title, rows=2, height=5.6)


def _periods(top: "Axes", below: "Axes", temporal: TemporalBacktest) -> None:
    limits = (-0.5, len(temporal.periods) - 0.5)
    _ranking(top, temporal)
    _shares(below, temporal)
    top.set(ylabel="AUC", xlim=limits)
    below.set(ylabel="Share", xlim=limits, ylim=(0, 1))
    places = list(range(len(temporal.periods)))
    step = max(1, -(-len(places) // _NAMES_SHOWN))
    top.set_xticks(places[::step], [""] * len(places[::step]))
    names = [short(period.period) for period in temporal.periods[::step]]
    below.set_xticks(places[::step], names)
    for text in below.get_xticklabels():
        crowded = len(names) > 6
        text.set(rotation=30 if crowded else 0, ha="right" if crowded else "center", rotation_mode="anchor")


def _ranking(axes: "Axes", temporal: TemporalBacktest) -> None:
    axes.set_title("How well the score ranks people")
    shown = [(i, p.auc) for i, p in enumerate(temporal.periods)]
    points = [(i, auc) for i, auc in shown if isinstance(auc, Estimate)]
    plot_estimates(axes, [i for i, _ in points], [auc for _, auc in points], color=BLUE, label="Model, 95 % interval")
    auc = temporal.backtest_auc
    covered = [i for i, p in enumerate(temporal.periods) if p.period in set(temporal.backtest_periods)]
    if isinstance(auc, Estimate) and covered:
        across = [min(covered) - 0.4, max(covered) + 0.4]
        axes.fill_between(across, auc.low, auc.high, color=ORANGE, alpha=0.2, linewidth=0)
        label = f"Trained on earlier periods only: {auc.value:.3f}"
        axes.plot(across, [auc.value, auc.value], color=ORANGE, linewidth=2, label=label)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.02), ncols=2)


def _shares(axes: "Axes", temporal: TemporalBacktest) -> None:
    axes.set_title("Mean score and share of positive outcomes")
    places = range(len(temporal.periods))
    for label, name, color, marker in (
        ("Mean score", "mean_score", BLUE, "o"),
        ("Positive outcomes", "positive_rate", ORANGE, "s"),
    ):
        values = [getattr(period, name) for period in temporal.periods]
        heights = [float("nan") if value == SUPPRESSED else value for value in values]
        axes.plot(places, heights, color=color, marker=marker, markersize=5, linewidth=1.6, label=label)
    for place, period in enumerate(temporal.periods):
        if period.rows == SUPPRESSED:
            axes.text(place, 0.03, SUPPRESSED, rotation=90, ha="center", va="bottom", color=GREY, fontsize=8)
    axes.legend(loc="upper left", ncols=2)
