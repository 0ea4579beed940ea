"""How many people are in classes of which size: who shares their quasi-identifiers with few."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from secure_ml.assessment.disclosure import Cells, suppress
from secure_ml.assessment.figures.canvas import BLUE, GREY, ORANGE, picture, say_suppressed
from secure_ml.assessment.records import SUPPRESSED, Booleans
from secure_ml.policy.gates import DisclosureControl
from secure_ml.protection.anonymity.counting import Classes, Integers
from secure_ml.protection.anonymity.measures import sizes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RANGES_FROM_K = 7


def class_sizes_picture(classes: Classes, *, k: int, control: DisclosureControl) -> bytes:
    """The share of subjects by the size of their class, below k and from k on in ranges that double.

    A range that holds too few subjects is suppressed, and others with it where it could be found by subtraction.
    """
    edges = np.array([1, *(k * 2**power for power in range(_RANGES_FROM_K))], np.int64)
    _, subjects = sizes(classes, edges)
    shown = subjects > 0
    hidden = np.zeros(len(edges), np.bool_)
    some = subjects[shown]
    hidden[shown] = suppress(Cells(some, some, some), control=control).hidden
    title = "People by how many share their quasi-identifiers"
    return picture(lambda axes: _bars(axes, subjects, edges, hidden), title, height=3.4)


def _bars(axes: "Axes", subjects: Integers, edges: Integers, hidden: Booleans) -> None:
    names = _names(edges.tolist())
    total = int(subjects.sum())
    for place, (count, is_hidden) in enumerate(zip(subjects.tolist(), hidden.tolist(), strict=True)):
        if is_hidden:
            axes.text(0.01, place, SUPPRESSED, va="center", color=GREY, style="italic")
        elif count:
            axes.barh(place, count / total, height=0.6, color=ORANGE if place == 0 else BLUE, alpha=0.85)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6), xlabel="share of people", ylabel="people in a class")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    if not total:
        say_suppressed(axes)


def _names(edges: Sequence[int]) -> list[str]:
    below = f"{1 if edges[1] == 2 else f'1 to {edges[1] - 1}'}, below k"
    between = [f"{low} to {high - 1}" for low, high in itertools.pairwise(edges[1:])]
    return [below, *between, f"{edges[-1]} or more"]
