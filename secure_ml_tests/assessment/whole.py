"""One whole evaluation of invented rows, for the tests of what is made from it."""

import functools

import numpy as np

from secure_ml.assessment.evaluation import Evaluation, evaluate
from secure_ml.assessment.explanation import Curve, explain_by_curves
from secure_ml.assessment.scored import Scored
from secure_ml_tests.assessment.people import CONTROL, scored

CURVES = {
    "income": Curve("income", ("below 20000", "20000 to 50000", "50000 and more"), (-0.8, 0.1, 0.9)),
    "employment": Curve("employment", ("salaried", "self-employed", "other"), (0.2, -0.1, -0.3)),
}
GROUPS = {"colour": {"amber": 0.5, "blue": 0.46, "unknown": 0.037, "canary": 0.003}}
MONTHS = [f"2031-{month:02}" for month in range(1, 8)]


def people() -> Scored:
    """4,000 rows of 3,000 subjects, six months and one row of a seventh, four groups of which one is tiny."""
    rows = scored(4000, subjects=3000, groups=GROUPS)
    period = rows.period.copy()
    period[0] = "2031-07"
    return Scored(rows.label, rows.score, rows.subject, period, rows.groups)


@functools.cache
def evaluation(rows: Scored | None = None, *, backtest: bool = True) -> Evaluation:
    """The evaluation of `rows`, or of `people()`."""
    measured = people() if rows is None else rows
    later = measured.only(measured.period >= "2031-05") if backtest else None
    return evaluate(
        measured,
        second_model=later,
        explanation=explain_by_curves(CURVES),
        project="loan_approval",
        model_digest="a" * 64,
        policy_digest="b" * 64,
        test_versions=("version-1",),
        periods=MONTHS,
        control=CONTROL,
        resamples=60,
        generator=np.random.default_rng(8),
    )
