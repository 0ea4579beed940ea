"""Pass or fail: the policy's bounds against what was measured.

Belongs here: the comparison and its words. Must stay out: any measurement, and what happens after a failure.
"""

from dataclasses import asdict, dataclass

from secure_ml.assessment.evaluation import Evaluation
from secure_ml.assessment.records import SUPPRESSED, Estimate, Published
from secure_ml.policy.gates import Gates


@dataclass(frozen=True)
class Judgement:
    """One gate's answer.

    Attributes:
        name: metric, with the attribute of a fairness gate.
        value: the published figure; None where it is hidden or was not measured.
        bound: what was asked, in words.
        passed: whether the figure meets the bound; a figure that is not there never does.
        blocking: whether a failure stops registration.
        words: the answer as a sentence.
    """

    name: str
    value: float | None
    bound: str
    passed: bool
    blocking: bool
    words: str

    def to_json(self) -> dict[str, str | float | bool | None]:
        """The judgement as JSON values."""
        return asdict(self)


def judge(evaluation: Evaluation, gates: Gates) -> tuple[Judgement, ...]:
    """One judgement for each performance and fairness gate, in the policy's order.

    Figures are compared as published, so that a reader of the evaluation comes to the same answer.
    """
    performance = [
        _judge(gate.metric, evaluation.metric(gate.metric), gate.minimum, gate.maximum, blocking=gate.blocking)
        for gate in gates.performance
    ]
    fairness = [
        _judge(
            f"{gate.metric} by {gate.attribute}",
            evaluation.gap(gate.attribute, gate.metric),
            None,
            gate.maximum,
            blocking=gate.blocking,
            note=_left_out(evaluation, gate.attribute),
        )
        for gate in gates.fairness
    ]
    return (*performance, *fairness)


def refusals(judgements: tuple[Judgement, ...]) -> tuple[Judgement, ...]:
    """The judgements that stop registration."""
    return tuple(judgement for judgement in judgements if judgement.blocking and not judgement.passed)


def _judge(
    name: str, figure: Published | None, minimum: float | None, maximum: float | None, *, blocking: bool, note: str = ""
) -> Judgement:
    bound = _bound(minimum, maximum)
    if not isinstance(figure, Estimate):
        why = "is suppressed, since too few people stand behind it" if figure == SUPPRESSED else "was not measured"
        return Judgement(name, None, bound, False, blocking, f"{name} {why}; it must be {bound}{note}")
    value = figure.value
    passed = (minimum is None or value >= minimum) and (maximum is None or value <= maximum)
    verb = "meets" if passed else "misses"
    interval = f"95 % interval {figure.low:g} to {figure.high:g}"
    return Judgement(name, value, bound, passed, blocking, f"{name} is {value:g} ({interval}) and {verb} {bound}{note}")


def _bound(minimum: float | None, maximum: float | None) -> str:
    parts = [f"{word} {bound:g}" for word, bound in (("at least", minimum), ("at most", maximum)) if bound is not None]
    return " and ".join(parts)


def _left_out(evaluation: Evaluation, attribute: str) -> str:
    compared = evaluation.attribute(attribute)
    if compared is None or not compared.groups_left_out:
        return ""
    return f"; groups too small to be compared: {compared.groups_left_out}"
