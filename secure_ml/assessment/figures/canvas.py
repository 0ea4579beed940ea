"""What every picture shares: style, palette, size limit, and how an estimate is drawn and written.

Belongs here: the look. Must stay out: any particular picture.
"""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.records import Estimate, Published

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAXIMUM_BYTES: Final = 60_000
"""Of one picture, so that it can travel in metadata."""

# Okabe and Ito's palette, which people with any colour vision tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#767676"

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "legend.frameon": False,
    "legend.fontsize": 9,
    # A column may have a dollar sign in its name.
    "text.parse_math": False,
    "text.usetex": False,
}
_PALETTE_SIZE = 128
_NAME_LENGTH = 28


def picture(
    paint: Callable[..., None],
    title: str,
    *,
    rows: int = 1,
    columns: int = 1,
    width: float = 6.6,
    height: float = 4.2,
) -> bytes:
    """A PNG of a grid of axes.

    Args:
        paint: draws; is given the axes, row by row.
        title: stands above all of them.
        rows: of the grid.
        columns: of the grid.
        width: in inches.
        height: in inches.

    Raises:
        AssessmentError: it came out larger than `MAXIMUM_BYTES`.
    """
    import matplotlib as mpl
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), dpi=96, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        paint(*figure.subplots(rows, columns, squeeze=False).ravel())
        figure.suptitle(title, x=0.01, ha="left", fontsize=11.5)
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    target = io.BytesIO()
    # Few flat colours: a palette halves the size.
    Image.fromarray(pixels).quantize(_PALETTE_SIZE, dither=Image.Dither.NONE).save(target, format="png", optimize=True)
    content = target.getvalue()
    if len(content) > MAXIMUM_BYTES:
        raise AssessmentError(f"a picture takes {len(content)} bytes, more than {MAXIMUM_BYTES}; show less on it")
    return content


def plot_estimates(axes: "Axes", x: Sequence[float], figures: Sequence[Estimate], *, color: str, label: str) -> None:
    """A line through the figures, each with its interval."""
    y = [figure.value for figure in figures]
    # A bootstrap interval need not hold the figure itself.
    ends = [[f.value - min(f.low, f.value) for f in figures], [max(f.high, f.value) - f.value for f in figures]]
    axes.errorbar(x, y, yerr=ends, color=color, marker="o", markersize=5, linewidth=1.8, elinewidth=1.2, label=label)


def say_suppressed(axes: "Axes") -> None:
    """Writes why the axes are empty."""
    axes.text(0.5, 0.5, "suppressed: too few people", transform=axes.transAxes, ha="center", va="center", color=GREY)


def written(figure: Published) -> str:
    """The figure with its interval, or the word that it is hidden."""
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})" if isinstance(figure, Estimate) else figure


def short(name: str, length: int = _NAME_LENGTH) -> str:
    """The name, cut where it would not fit."""
    return name if len(name) <= length else name[: length - 1] + "…"
