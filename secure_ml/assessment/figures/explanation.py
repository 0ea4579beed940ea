"""What the model looks at."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from secure_ml.assessment.explanation import Curve, Explanation, Importance
from secure_ml.assessment.figures.canvas import BLUE, GREY, ORANGE, picture, say_suppressed, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CURVES_SHOWN, _IMPORTANCES_SHOWN, _NAMES_SHOWN = 6, 12, 7
_LINE_LENGTH = 44
"""Characters that stand side by side below one panel."""


def explanation_picture(explanation: Explanation) -> bytes:
    """The curves that reach furthest, or the importances."""
    if explanation.method == "curves":
        curves = explanation.curves[:_CURVES_SHOWN]
        columns = min(2, len(curves))
        rows = -(-len(curves) // columns)
        title = "What moves the score: above 0 towards a positive outcome, below 0 away from it"
        height = 0.6 + 2.1 * rows
        return picture(lambda *axes: _curves(axes, curves), title, rows=rows, columns=columns, width=8.4, height=height)
    title = "What the model looks at: AUC lost when one column is shuffled"
    return picture(lambda axes: _importances(axes, explanation.importances), title)


def _curves(panels: Sequence["Axes"], curves: Sequence[Curve]) -> None:
    low = min(0.0, *(min(curve.contributions) for curve in curves))
    high = max(0.0, *(max(curve.contributions) for curve in curves))
    room = 0.08 * (high - low) or 1.0
    for axes, curve in zip(panels, curves, strict=False):
        colors = [BLUE if value >= 0 else ORANGE for value in curve.contributions]
        axes.bar(range(len(curve.labels)), curve.contributions, width=0.85, color=colors)
        axes.axhline(0, color=GREY, linewidth=1)
        axes.set_title(short(curve.feature))
        axes.set(ylim=(low - room, high + room), ylabel="Log-odds")
        axes.grid(axis="x", visible=False)
        _name_bars(axes, curve.labels)
    for axes in panels[len(curves) :]:
        axes.set_visible(False)


def _name_bars(axes: "Axes", labels: Sequence[str]) -> None:
    step = max(1, -(-len(labels) // _NAMES_SHOWN))
    names = [short(label, 18) for label in labels[::step]]
    crowded = sum(map(len, names)) > _LINE_LENGTH
    axes.set_xticks(range(0, len(labels), step), names, fontsize=8)
    for text in axes.get_xticklabels():
        text.set(rotation=20 if crowded else 0, ha="right" if crowded else "center", rotation_mode="anchor")


def _importances(axes: "Axes", importances: Sequence[Importance] | str) -> None:
    if isinstance(importances, str):
        say_suppressed(axes)
        return
    shown = importances[:_IMPORTANCES_SHOWN]
    values, spreads = [i.value for i in shown], [i.spread for i in shown]
    axes.barh(range(len(shown)), values, xerr=spreads, height=0.6, color=BLUE, ecolor="black")
    axes.set_yticks(range(len(shown)), [short(i.feature) for i in shown])
    axes.invert_yaxis()
    axes.set_xlabel("AUC lost (line: standard deviation over shuffles)")
    axes.grid(axis="y", visible=False)
