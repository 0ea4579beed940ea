"""Checks of validated: the policy's gates on performance, calibration and fairness."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.checks.assessment import Judge, Judgement, build_checks
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset

if TYPE_CHECKING:
    from secure_ml.assessment.gates import Judgement as GateJudgement

_DESCRIPTIONS = {
    "performance": "Metrics of the test side, and of the temporal backtest, meet the policy's bounds.",
    "calibration": "Predicted probabilities match what happened, within the policy's bound.",
    "fairness": "Gaps between the groups of each protected attribute stay within the policy's bounds.",
}

_CALIBRATION = frozenset({"expected_calibration_error", "log_loss"})


def judge_of(project: Project) -> Judge:
    """What judges a version of one project, in one pass."""
    policy = project.policy
    performance = {gate.metric for gate in policy.gates.performance}

    def judge(validated: Dataset) -> Sequence[Judgement]:
        from secure_ml.release.validation import read_evidence

        gates = read_evidence(validated).judgements(policy)
        return (
            judgement("performance", [g for g in gates if g.name in performance - _CALIBRATION]),
            judgement("calibration", [g for g in gates if g.name in _CALIBRATION]),
            judgement("fairness", [g for g in gates if g.name not in performance]),
        )

    return judge


def build(project: Project, environment: str) -> dg.AssetChecksDefinition:
    """The checks for one project."""
    return build_checks(project, environment, Stage.VALIDATED, _DESCRIPTIONS, judge_of(project))


def judgement(check: str, gates: "Sequence[GateJudgement]") -> Judgement:
    """The gates of one check as a verdict; it blocks when a blocking gate failed."""
    from secure_ml.assessment.gates import refusals

    failed = [gate for gate in gates if not gate.passed]
    words = "; ".join(gate.words for gate in (failed or gates)) or "the policy sets no gate here"
    facts = {gate.name.replace(" ", "_"): gate.value for gate in gates if gate.value is not None}
    return Judgement(check, not failed, words, blocking=not failed or bool(refusals(tuple(failed))), facts=facts)
