"""Checks of trained: what the model cost in privacy stands in the ledger, as its facts say."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.checks.assessment import Judge, Judgement, build_checks
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset

if TYPE_CHECKING:
    from secure_ml.release.candidate import Candidate

_DESCRIPTIONS = {
    "privacy_is_accounted": "A private model was paid for in the budget ledger; one without privacy says so.",
}


def judge_of(project: Project) -> Judge:
    """What judges a version of one project, in one pass."""

    def judge(trained: Dataset) -> Sequence[Judgement]:
        from secure_ml.release.candidate import read_candidate

        return (judgement(read_candidate(trained)),)

    return judge


def build(project: Project, environment: str) -> dg.AssetChecksDefinition:
    """The checks for one project."""
    return build_checks(project, environment, Stage.TRAINED, _DESCRIPTIONS, judge_of(project))


def judgement(candidate: "Candidate") -> Judgement:
    """The candidate's facts as a verdict."""
    facts = candidate.model.facts
    paid = facts.epsilon == "" or candidate.charge_id != ""
    words = f"{facts.guarantee}; epsilon {facts.epsilon}, delta {facts.delta} for each {facts.unit}"
    return Judgement(
        "privacy_is_accounted",
        paid,
        (words if facts.epsilon else facts.guarantee) if paid else "noise was added, but no charge is in the ledger",
        facts={"guarantee": facts.guarantee, "epsilon": facts.epsilon, "charge": candidate.charge_id},
    )
