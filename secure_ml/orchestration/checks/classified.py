"""Checks of classified: nothing sensitive that the policy does not declare."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.checks.assessment import Judge, Judgement, build_checks
from secure_ml.policy.project import Policy
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset

if TYPE_CHECKING:
    from secure_ml.protection.classify.compare import Discrepancy

_DESCRIPTIONS = {
    "no_undeclared_sensitive_column": "No column is more sensitive than the policy declares, and none is undeclared.",
}

_BLOCKING_CONFIDENCE = 0.6


def judge_of(project: Project) -> Judge:
    """What judges a version of one project, in one pass."""

    def judge(classified: Dataset) -> Sequence[Judgement]:
        return (judgement(discrepancies(classified, project.policy)),)

    return judge


def build(project: Project, environment: str) -> dg.AssetChecksDefinition:
    """The checks for one project."""
    return build_checks(project, environment, Stage.CLASSIFIED, _DESCRIPTIONS, judge_of(project))


def discrepancies(classified: Dataset, policy: Policy) -> "tuple[Discrepancy, ...]":
    """Where the findings go beyond the policy."""
    from secure_ml.protection.classify.compare import compare
    from secure_ml.protection.classify.finding import read_findings

    findings = [finding for batch in classified.scan() for finding in read_findings(batch)]
    declared = {name: (c.category, c.entity, c.identifiability) for name, c in policy.columns.items()}
    return compare(findings, declared, blocking_confidence=_BLOCKING_CONFIDENCE)


def judgement(found: "Sequence[Discrepancy]") -> Judgement:
    """The discrepancies as a verdict: one that blocks fails it, the others are told."""
    from secure_ml.protection.classify.compare import Severity

    blocking = [d for d in found if d.severity is Severity.BLOCKING]
    return Judgement(
        "no_undeclared_sensitive_column",
        not blocking,
        "; ".join(d.message for d in (blocking or found)) or "every sensitive column is declared as what it is",
        facts={"blocking": len(blocking), "warnings": len(found) - len(blocking)},
    )
