"""The measured half of a model card: performance, time, fairness, gates, explanation.

Belongs here: the wording of an evaluation and its judgements. Must stay out: any figure that is not in it.
"""

from collections.abc import Sequence

from secure_ml.assessment.evaluation import Evaluation
from secure_ml.assessment.explanation import Curve, Explanation
from secure_ml.assessment.fairness import GAPS, RATES, AttributeFairness
from secure_ml.assessment.gates import Judgement
from secure_ml.assessment.records import SUPPRESSED, Estimate, Published, Suppressed
from secure_ml.release.markdown import code, section, table, text

_METRICS = (
    ("auc", "AUC", "0.5 is guessing, 1 is perfect ranking"),
    ("accuracy", "Accuracy", "share of right decisions at the threshold 0.5"),
    ("f1", "F1", "balance of precision and recall at the threshold 0.5"),
    ("log_loss", "Log loss", "0 is perfect; punishes certain and wrong scores"),
    ("brier", "Brier score", "mean squared error of the score; 0 is perfect"),
    ("expected_calibration_error", "Expected calibration error", "mean distance of score and outcome; 0 is perfect"),
    ("positive_rate", "Positive outcomes", "share of the rows"),
)
_FEATURES_SHOWN = 15


def measurements(evaluation: Evaluation, judgements: Sequence[Judgement]) -> tuple[str, ...]:
    """The sections of a card on what was measured, in order."""
    return (
        _performance(evaluation),
        _over_time(evaluation),
        _fairness(evaluation),
        _gates(judgements),
        _explanation(evaluation.explanation),
    )


def _performance(evaluation: Evaluation) -> str:
    found = evaluation.performance
    basis = (
        f"Test side: {found.rows} rows of {found.subjects} subjects, none of whom trained the model. Intervals are 95 "
        f"% percentile intervals over {evaluation.resamples} bootstrap draws of subjects. Figures over fewer than "
        f"{evaluation.minimum_cell} subjects, or {evaluation.minimum_positives} of one outcome, are suppressed, and "
        "others where those could be found by subtraction."
    )
    rows = [(title, _written(getattr(found, name)), meaning) for name, title, meaning in _METRICS]
    return section(
        "Performance", basis, table(("Metric", "Value (95 % interval)", "Reading"), rows), _confusion(evaluation)
    )


def _confusion(evaluation: Evaluation) -> str:
    counts = evaluation.performance.confusion
    if counts == SUPPRESSED:
        return "Counts of right and wrong decisions are suppressed: one of them is small."
    return table(
        ("", "Decided positive", "Decided negative"),
        [
            ("Positive outcome", str(counts.true_positives), str(counts.false_negatives)),
            ("Negative outcome", str(counts.false_positives), str(counts.true_negatives)),
        ],
    )


def _over_time(evaluation: Evaluation) -> str:
    temporal = evaluation.temporal
    if temporal.backtest_auc is None:
        backtest = "No second model was trained on the earlier periods, so nothing is known of a future period."
    else:
        backtest = (
            f"A second model, trained on the earlier periods only, reached AUC {_written(temporal.backtest_auc)} on "
            f"{', '.join(code(period) for period in temporal.backtest_periods)}."
        )
    rows = [
        (
            code(period.period),
            str(period.rows),
            _written(period.auc),
            _number(period.positive_rate),
            _number(period.mean_score),
            _number(period.population_stability_index),
        )
        for period in temporal.periods
    ]
    header = ("Period", "Rows", "AUC (95 % interval)", "Positive outcomes", "Mean score", "Stability index")
    reading = (
        f"The stability index compares the scores with those of {code(temporal.reference)}: below 0.1 is read as "
        "stable, above 0.25 as a shift."
        if temporal.reference is not None
        else ""
    )
    return section("Over time", backtest, table(header, rows), reading)


def _fairness(evaluation: Evaluation) -> str:
    if not evaluation.fairness:
        return section("Fairness", "The policy names no protected attribute: nothing is known of how groups fare.")
    return section("Fairness", *(_attribute(compared) for compared in evaluation.fairness))


def _attribute(compared: AttributeFairness) -> str:
    rows = [
        (text(group.group), str(group.subjects), *(_written(getattr(group, rate)) for rate in RATES))
        for group in compared.groups
    ]
    header = ("Group", "Subjects", *(rate.replace("_", " ").capitalize() for rate in RATES))
    gaps = [(gap.replace("_", " ").capitalize(), _written(getattr(compared, gap))) for gap in GAPS]
    basis = (
        f"Groups compared: {compared.groups_compared}; too small to be compared: {compared.groups_left_out}, of which "
        f"too small to be named: {compared.unnamed_groups}."
    )
    gap_table = table(("Gap between groups", "Value (95 % interval)"), gaps)
    return "\n\n".join([f"### By {code(compared.attribute)}", table(header, rows), basis, gap_table])


def _gates(judgements: Sequence[Judgement]) -> str:
    rows = [
        (
            code(judgement.name),
            "none" if judgement.value is None else f"{judgement.value:.3f}",
            judgement.bound,
            "pass" if judgement.passed else "**fail**",
            "yes" if judgement.blocking else "no",
            text(judgement.words),
        )
        for judgement in judgements
    ]
    header = ("Gate", "Value", "Bound", "Result", "Blocking", "In words")
    return section("Gates", table(header, rows) if rows else "The policy sets no gate.")


def _explanation(explanation: Explanation) -> str:
    if explanation.importances == SUPPRESSED:
        return section("Explanation", "The importance of features is suppressed: the test side is too small.")
    if explanation.method == "curves":
        words = (
            "The model adds one number for each feature; these curves are the whole of it. Reach is the distance "
            "between a feature's largest and smallest number, in log-odds of a positive outcome."
        )
        curves = [_curve(curve) for curve in explanation.curves[:_FEATURES_SHOWN]]
        return section("Explanation", words, table(("Feature", "Reach", "Most towards", "Most away"), curves))
    words = (
        "AUC lost on the test side when one feature is shuffled among the rows. Features that say the same share their "
        "importance, so that each may look small."
    )
    rows = [(code(i.feature), f"{i.value:.3f}", f"{i.spread:.3f}") for i in explanation.importances[:_FEATURES_SHOWN]]
    return section("Explanation", words, table(("Feature", "AUC lost", "Standard deviation"), rows))


def _curve(curve: Curve) -> tuple[str, ...]:
    ranked = sorted(zip(curve.contributions, curve.labels, strict=True))
    (lowest, down), (highest, up) = ranked[0], ranked[-1]
    return code(curve.feature), f"{curve.reach:.3f}", f"{text(up)} ({highest:+.3f})", f"{text(down)} ({lowest:+.3f})"


def _number(value: float | Suppressed) -> str:
    return value if isinstance(value, str) else f"{value:.3f}"


def _written(figure: Published) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]" if isinstance(figure, Estimate) else figure
