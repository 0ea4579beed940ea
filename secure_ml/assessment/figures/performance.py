"""ROC and calibration curves."""

from typing import TYPE_CHECKING

from secure_ml.assessment.figures.canvas import BLUE, GREY, picture, plot_estimates, say_suppressed, written
from secure_ml.assessment.performance import Performance
from secure_ml.assessment.records import SUPPRESSED, Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def roc_picture(performance: Performance) -> bytes:
    """The ROC curve with its band."""
    title = f"How well the score ranks people\nAUC {written(performance.auc)}; 0.5 is guessing, 1 is perfect"
    return picture(lambda axes: _roc(axes, performance), title, width=5.2, height=5.2)


def calibration_picture(performance: Performance) -> bytes:
    """Mean score against the share of positive outcomes."""
    error = written(performance.expected_calibration_error)
    title = f"Does the score mean what it says\nExpected calibration error {error}; 0 is perfect"
    return picture(lambda axes: _calibration(axes, performance), title, width=5.2, height=5.2)


def _roc(axes: "Axes", performance: Performance) -> None:
    axes.set(xlabel="False-positive rate", ylabel="True-positive rate", xlim=(0, 1), ylim=(0, 1.01))
    axes.plot([0, 1], [0, 1], linestyle="--", color=GREY, linewidth=1, label="Guessing")
    if performance.roc == SUPPRESSED:
        say_suppressed(axes)
        return
    shown = [(p.false_positive_rate, p.true_positive_rate) for p in performance.roc]
    points = [(x, y) for x, y in shown if isinstance(y, Estimate)]
    across = [0.0, *(x for x, _ in points), 1.0]
    axes.plot(across, [0.0, *(y.value for _, y in points), 1.0], color=BLUE, linewidth=2, label="Model")
    low, high = [[0.0, *(getattr(y, end) for _, y in points), 1.0] for end in ("low", "high")]
    axes.fill_between(across, low, high, color=BLUE, alpha=0.2, linewidth=0, label="95 % interval")
    axes.legend(loc="lower right")


def _calibration(axes: "Axes", performance: Performance) -> None:
    axes.set(xlabel="Mean score of a bin", ylabel="Share of positive outcomes", xlim=(0, 1), ylim=(0, 1.01))
    axes.plot([0, 1], [0, 1], linestyle="--", color=GREY, linewidth=1, label="Perfect")
    if performance.calibration == SUPPRESSED:
        say_suppressed(axes)
        return
    shown = [(b.mean_score, b.positive_rate) for b in performance.calibration]
    points = [(x, y) for x, y in shown if isinstance(y, Estimate)]
    plot_estimates(axes, [x for x, _ in points], [y for _, y in points], color=BLUE, label="Model, 95 % interval")
    axes.legend(loc="upper left")
