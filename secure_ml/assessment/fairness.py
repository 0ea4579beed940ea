"""Are the groups of a protected attribute treated alike: fairlearn's disaggregated frame and gaps, small groups hidden.

Belongs here: comparison of groups. Must stay out: whether a gap is acceptable (gates), and any correction of it.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from secure_ml.assessment.bootstrap import resample
from secure_ml.assessment.disclosure import Suppression, count_cells, suppress
from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.records import SUPPRESSED, Floats, Integers, Published, PublishedRecord, Suppressed, estimate
from secure_ml.assessment.scored import Scored
from secure_ml.assessment.weighted import indicator, ratio
from secure_ml.policy.gates import DisclosureControl

RATES = ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy")
"""What is compared between groups, in the order that tables show it."""

GAPS = ("demographic_parity_difference", "equalized_odds_difference", "equal_opportunity_difference")
"""Largest differences between groups, as fairlearn defines them."""


class Group(PublishedRecord):
    """One group under the threshold 0.5.

    Attributes:
        group: its name; only names that at least `minimum_cell` subjects share are ever shown.
        rows: how many rows.
        subjects: how many subjects.
        selection_rate: share of positive decisions.
        true_positive_rate: share of positive decisions among positive outcomes.
        false_positive_rate: share of positive decisions among negative outcomes.
        accuracy: share of right decisions.
    """

    group: str
    rows: int | Suppressed
    subjects: int | Suppressed
    selection_rate: Published
    true_positive_rate: Published
    false_positive_rate: Published
    accuracy: Published


class AttributeFairness(PublishedRecord):
    """The groups of one protected attribute.

    Attributes:
        attribute: column of the policy.
        groups: by name; those hidden for their outcomes, or as complement, have every figure suppressed.
        unnamed_groups: groups with fewer than `minimum_cell` subjects, whose very name would point at someone.
        groups_compared: groups behind the gaps: all that are large enough themselves. One that is hidden only as
            complement is among them, since without its counts a gap does not give the small group away.
        groups_left_out: groups too small to be compared.
        demographic_parity_difference: largest minus smallest selection rate.
        equalized_odds_difference: the larger of the gaps in true-positive and false-positive rate.
        equal_opportunity_difference: largest minus smallest true-positive rate.
    """

    attribute: str
    groups: tuple[Group, ...]
    unnamed_groups: int
    groups_compared: int
    groups_left_out: int
    demographic_parity_difference: Published
    equalized_odds_difference: Published
    equal_opportunity_difference: Published


def compare_groups(
    scored: Scored,
    *,
    sensitive_features: Mapping[str, npt.NDArray[np.str_]],
    control: DisclosureControl,
    resamples: int,
    generator: np.random.Generator,
) -> tuple[AttributeFairness, ...]:
    """Compares the groups of each protected attribute.

    A gap's interval is the percentile interval of a maximum, hence lies somewhat high when groups hardly differ.

    Args:
        scored: the test side.
        sensitive_features: for each attribute, (rows,) the row's group.
        control: smallest cells that may be shown.
        resamples: bootstrap draws behind each interval.
        generator: source of the draws.

    Raises:
        AssessmentError: an attribute has not one entry for each row.
    """
    if any(column.shape != (scored.rows,) for column in sensitive_features.values()):
        raise AssessmentError("a protected attribute needs one group name for each row")
    return tuple(
        _compare(scored, name, column, control, resamples, generator) for name, column in sensitive_features.items()
    )


def _compare(
    scored: Scored,
    attribute: str,
    column: npt.NDArray[np.str_],
    control: DisclosureControl,
    resamples: int,
    generator: np.random.Generator,
) -> AttributeFairness:
    names, inverse = np.unique(column, return_inverse=True)
    code = inverse.astype(np.int64)
    cells = count_cells(scored, code, cells=len(names))
    suppression = suppress(cells, control=control)
    compared = ~suppression.primary
    blocks = resample(scored.subject_codes, resamples=resamples, generator=generator)
    rates = _RateSums(scored, code, len(names))
    drawn = np.concatenate([rates.under(weights) for weights in blocks])
    named = np.flatnonzero(cells.subjects >= control.minimum_cell).tolist()
    point = _frame(scored, code, compared)
    return AttributeFairness(
        attribute=attribute,
        groups=tuple(
            _group(str(names[i]), i, suppression, point, drawn, subjects=int(cells.subjects[i])) for i in named
        ),
        unnamed_groups=len(names) - len(named),
        groups_compared=int(compared.sum()),
        groups_left_out=int(suppression.primary.sum()),
        **_gaps(scored, code, compared, drawn),
    )


class _RateSums:
    """The four rates of every group as functions of row weights."""

    def __init__(self, scored: Scored, code: Integers, groups: int) -> None:
        member = indicator(code, codes=groups)
        y, d = scored.label, scored.predicted
        parts = [np.ones_like(y), d, y, y & d, ~y, ~y & d, y == d]
        self._terms = np.concatenate([member * part[:, None] for part in parts], axis=1)
        self._groups = groups

    def under(self, weights: Floats) -> Floats:
        """(draws, 4 rates, groups); NaN where a group, or one outcome of it, has no weight."""
        sums = (weights @ self._terms).reshape(len(weights), 7, self._groups)
        n, selected, positive, hit, negative, false_alarm, right = sums.transpose(1, 0, 2)
        quotients = [ratio(selected, n), ratio(hit, positive), ratio(false_alarm, negative), ratio(right, n)]
        return np.stack(quotients, axis=1)


def _frame(scored: Scored, code: Integers, compared: npt.NDArray[np.bool_]) -> Mapping[int, Mapping[str, float]]:
    from fairlearn.metrics import MetricFrame, count, false_positive_rate, selection_rate, true_positive_rate
    from sklearn.metrics import accuracy_score

    rows = compared[code]
    if not rows.any():
        return {}
    frame = MetricFrame(
        metrics={
            "rows": count,
            "selection_rate": selection_rate,
            "true_positive_rate": true_positive_rate,
            "false_positive_rate": false_positive_rate,
            "accuracy": accuracy_score,
        },
        y_true=scored.label[rows].astype(np.int64),
        y_pred=scored.predicted[rows].astype(np.int64),
        sensitive_features=code[rows],
    )
    return {int(group): {str(k): float(v) for k, v in row.items()} for group, row in frame.by_group.T.items()}


def _group(
    name: str,
    i: int,
    suppression: Suppression,
    point: Mapping[int, Mapping[str, float]],
    drawn: Floats,
    *,
    subjects: int,
) -> Group:
    if suppression.hidden[i]:
        return Group(group=name, **dict.fromkeys(list(Group.model_fields)[1:], SUPPRESSED))
    return Group(
        group=name,
        rows=int(point[i]["rows"]),
        subjects=subjects,
        **{rate: estimate(point[i][rate], drawn[:, r, i]) for r, rate in enumerate(RATES)},
    )


def _gaps(scored: Scored, code: Integers, compared: npt.NDArray[np.bool_], drawn: Floats) -> dict[str, Published]:
    import fairlearn.metrics

    if compared.sum() < 2:
        return dict.fromkeys(GAPS, SUPPRESSED)
    rows = compared[code]
    spread = np.ptp(drawn[:, :, compared], axis=2)
    selection, true_positive, false_positive = spread[:, 0], spread[:, 1], spread[:, 2]
    intervals = dict(zip(GAPS, (selection, np.maximum(true_positive, false_positive), true_positive), strict=True))
    return {
        name: estimate(
            getattr(fairlearn.metrics, name)(
                scored.label[rows].astype(np.int64),
                scored.predicted[rows].astype(np.int64),
                sensitive_features=code[rows],
            ),
            draws,
        )
        for name, draws in intervals.items()
    }
