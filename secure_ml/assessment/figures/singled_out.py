"""Which columns of a table point to one person before anything is done to them, alone or a few together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from secure_ml.assessment.figures.canvas import BLUE, GREY, ORANGE, picture, short
from secure_ml.policy.gates import DisclosureControl
from secure_ml.protection.classify.finding import Combination
from secure_ml.protection.classify.telling import may_tell, share_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_ROWS = 0.5
_NAME_LENGTH = 44


def singled_out_picture(strongest: Sequence[tuple[Combination, int]], control: DisclosureControl) -> bytes:
    """The share of rows that only one person can have, for each combination of columns.

    A share that tells of few rows, or of few that are left of it, stands in words and has no bar.

    Args:
        strongest: combinations with the number of rows of the table, the strongest first; at least one.
        control: how many rows stand behind a published figure.
    """
    title = "Columns that point to one person, before protection"
    return picture(lambda axes: _bars(axes, strongest, control), title, width=7.4, height=1.4 + 0.36 * len(strongest))


def _bars(axes: "Axes", strongest: Sequence[tuple[Combination, int]], control: DisclosureControl) -> None:
    for place, (one, rows) in enumerate(strongest):
        words = share_in_words(one.share, rows, control)
        if may_tell(one.share, rows, control):
            # Drawn as it is told, in whole per cent.
            share = round(one.share, 2)
            axes.barh(place, share, height=0.6, color=ORANGE if share >= _MOST_ROWS else BLUE, alpha=0.85)
            axes.text(share + 0.01, place, words, va="center", fontsize=9)
        else:
            axes.text(0.01, place, words, va="center", color=GREY, style="italic")
    axes.set(xlim=(0, 1.2), ylim=(len(strongest) - 0.4, -0.6), xlabel="share of rows that only one person can have")
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_yticks(range(len(strongest)), [short(" + ".join(one.columns), _NAME_LENGTH) for one, _ in strongest])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
