"""The record of one model's assessment: everything measured, nothing of a row; stored and shown on the model card.

Belongs here: its shape, its version, and the one call that fills it. Must stay out: pass or fail (gates), pictures.
"""

import json
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from pydantic import Field, ValidationError

from secure_ml.assessment.backtest import TemporalBacktest, backtest
from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.explanation import Explanation
from secure_ml.assessment.fairness import GAPS, AttributeFairness, compare_groups
from secure_ml.assessment.performance import Performance, measure
from secure_ml.assessment.records import Published, PublishedRecord
from secure_ml.assessment.scored import Scored
from secure_ml.policy.gates import DisclosureControl

FORMAT: Final = "secure_ml/evaluation/1"
"""See docs/formats/evaluation.md."""

_GAPS_BY_NAME = frozenset(GAPS)


class Evaluation(PublishedRecord):
    """What was measured of one model on its test side."""

    format: Literal["secure_ml/evaluation/1"] = Field(default=FORMAT, description="Version of this record.")
    project: str = Field(description="Project of the model.")
    model_digest: str = Field(description="Digest of the model that was measured.")
    policy_digest: str = Field(description="Digest of the policy whose gates apply.")
    test_versions: tuple[str, ...] = Field(description="Version ids of the test side.")
    minimum_cell: int = Field(description="Fewest subjects behind any figure here.")
    minimum_positives: int = Field(description="Fewest subjects of either outcome behind any rate here.")
    resamples: int = Field(description="Bootstrap draws behind each interval.")
    performance: Performance = Field(description="The whole test side.")
    temporal: TemporalBacktest = Field(description="By period.")
    fairness: tuple[AttributeFairness, ...] = Field(description="By protected attribute.")
    explanation: Explanation = Field(description="What the model looks at.")

    def metric(self, name: str) -> Published | None:
        """A gate's metric: its estimate, "suppressed", or None where it was not measured."""
        if name == "backtest_auc":
            return self.temporal.backtest_auc
        return {
            "auc": self.performance.auc,
            "accuracy": self.performance.accuracy,
            "f1": self.performance.f1,
            "log_loss": self.performance.log_loss,
            "expected_calibration_error": self.performance.expected_calibration_error,
        }.get(name)

    def attribute(self, name: str) -> AttributeFairness | None:
        """The comparison by one protected attribute, if it was made."""
        return next((entry for entry in self.fairness if entry.attribute == name), None)

    def gap(self, attribute: str, name: str) -> Published | None:
        """One gap between an attribute's groups: its estimate, "suppressed", or None where it was not measured."""
        compared = self.attribute(attribute)
        if compared is None or name not in _GAPS_BY_NAME:
            return None
        gap: Published = getattr(compared, name)
        return gap

    def to_json(self) -> str:
        """Canonical JSON text: the same evaluation gives the same bytes."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Evaluation":
        """The inverse of `to_json`.

        Raises:
            AssessmentError: the text is not an evaluation of a version that this program knows.
        """
        try:
            content = json.loads(text)
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise AssessmentError("the evaluation is not JSON; assess the model again") from None
        version = content.get("format") if isinstance(content, dict) else None
        if version != FORMAT:
            raise AssessmentError(f"this program reads {FORMAT} only; use the version that wrote it, or assess again")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            places = sorted({".".join(map(str, detail["loc"][:2])) for detail in error.errors(include_input=False)})
            raise AssessmentError(f"the evaluation is damaged at {', '.join(places)}; assess the model again") from None


def evaluate(
    scored: Scored,
    *,
    second_model: Scored | None,
    explanation: Explanation,
    project: str,
    model_digest: str,
    policy_digest: str,
    test_versions: Sequence[str],
    periods: Sequence[str],
    control: DisclosureControl,
    resamples: int,
    generator: np.random.Generator,
) -> Evaluation:
    """Measures everything about one model.

    Args:
        scored: the test side under the candidate; its groups are the protected attributes.
        second_model: the later periods under the backtest's model, if there is one.
        explanation: made by `explain_by_curves` or `explain_by_permutation`.
        project: project of the model.
        model_digest: digest of the model.
        policy_digest: digest of the policy.
        test_versions: version ids of the test side.
        periods: every partition key, in time order.
        control: smallest cells that may be shown.
        resamples: bootstrap draws behind each interval.
        generator: source of the draws; it serves intervals, never privacy.

    Raises:
        AssessmentError: the rows cannot be assessed; says what to do.
    """
    return Evaluation(
        project=project,
        model_digest=model_digest,
        policy_digest=policy_digest,
        test_versions=tuple(test_versions),
        minimum_cell=control.minimum_cell,
        minimum_positives=control.minimum_positives,
        resamples=resamples,
        performance=measure(scored, control=control, resamples=resamples, generator=generator),
        temporal=backtest(
            scored,
            second_model=second_model,
            order=periods,
            control=control,
            resamples=resamples,
            generator=generator,
        ),
        fairness=compare_groups(
            scored, sensitive_features=scored.groups, control=control, resamples=resamples, generator=generator
        ),
        explanation=explanation,
    )
