"""The groups of one protected attribute side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from secure_ml.assessment.fairness import AttributeFairness, Group
from secure_ml.assessment.figures.canvas import BLUE, GREEN, GREY, ORANGE, picture, say_suppressed, short, written
from secure_ml.assessment.records import SUPPRESSED, Estimate, Published

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GROUPS_SHOWN = 10
_PANELS = (
    ("selection_rate", "Selection rate", "of all", BLUE),
    ("true_positive_rate", "True-positive rate", "of those with a positive outcome", GREEN),
    ("false_positive_rate", "False-positive rate", "of those with a negative outcome", ORANGE),
)


def groups_picture(compared: AttributeFairness) -> bytes:
    """Three rates of each group, largest group first."""
    groups = sorted(compared.groups, key=_largest_first)[:_GROUPS_SHOWN]
    height = 2.0 + 0.4 * max(2, len(groups))
    title = _title(compared, shown=len(groups))
    return picture(lambda *panels: _groups(panels, groups), title, columns=3, width=8.4, height=height)


def _largest_first(group: Group) -> tuple[int, str]:
    return (-group.rows if isinstance(group.rows, int) else 1, group.group)


def _groups(panels: Sequence["Axes"], groups: Sequence[Group]) -> None:
    names = [short(group.group) for group in groups]
    for axes, (rate, title, words, color) in zip(panels, _PANELS, strict=True):
        axes.set_title(title)
        axes.set_xlabel(words, fontsize=9)
        for place, group in enumerate(groups):
            _bar(axes, place, getattr(group, rate), color)
        axes.set(xlim=(0, 1), ylim=(max(1, len(groups)) - 0.4, -0.6))
        axes.grid(axis="y", visible=False)
        axes.set_yticks(range(len(groups)), names if axes is panels[0] else [""] * len(groups))
        axes.tick_params(axis="y", length=0)
        if not groups:
            say_suppressed(axes)


def _bar(axes: "Axes", place: int, figure: Published, color: str) -> None:
    if not isinstance(figure, Estimate):
        axes.text(0.02, place, SUPPRESSED, va="center", color=GREY, style="italic")
        return
    axes.barh(place, figure.value, height=0.6, color=color, alpha=0.85)
    axes.plot([figure.low, figure.high], [place, place], color="black", linewidth=1.4)


def _title(compared: AttributeFairness, *, shown: int) -> str:
    lines = [
        f"Share decided positive, by {short(compared.attribute)}; lines are 95 % intervals",
        f"Largest gap between groups in the selection rate: {written(compared.demographic_parity_difference)}",
    ]
    notes = []
    if len(compared.groups) > shown:
        notes.append(f"{len(compared.groups) - shown} more groups are in the table")
    if compared.unnamed_groups:
        notes.append(f"groups too small to be named: {compared.unnamed_groups}")
    return "\n".join([*lines, f"Not shown: {'; '.join(notes)}"] if notes else lines)
