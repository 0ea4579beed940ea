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
    from secure_ml.protection.classify.finding import Combination, Finding

_DESCRIPTIONS = {
    "no_undeclared_sensitive_column": "No column is more sensitive than the policy declares, and none is undeclared.",
}

_BLOCKING_CONFIDENCE = 0.6
_COMBINATIONS_TOLD = 5


def judge_of(project: Project) -> Judge:
    """What judges a version of one project, in one pass."""

    def judge(classified: Dataset) -> Sequence[Judgement]:
        from secure_ml.protection.classify.finding import read_findings

        findings = [finding for batch in classified.scan() for finding in read_findings(batch)]
        return (judgement(findings, project.policy),)

    return judge


def build(project: Project, environment: str) -> dg.AssetChecksDefinition:
    """The checks for one project."""
    return build_checks(project, environment, Stage.CLASSIFIED, _DESCRIPTIONS, judge_of(project))


def judgement(findings: "Sequence[Finding]", policy: Policy) -> Judgement:
    """The findings against the policy, as a verdict: what blocks fails it; overridden findings are told in any case."""
    from secure_ml.assessment.figures.singled_out import singled_out_picture
    from secure_ml.protection.classify.compare import Severity, compare
    from secure_ml.protection.classify.telling import SINGLED_OUT, share_in_words

    found = compare(
        findings,
        policy.columns,
        blocking_confidence=_BLOCKING_CONFIDENCE,
        subject=None if policy.subject is None else policy.subject.column,
        disclosure=policy.gates.disclosure,
    )
    blocking, overridden, warnings = ([d for d in found if d.severity is severity] for severity in Severity)
    told = [*blocking, *overridden] if blocking else [*overridden, *warnings]
    strongest, control = _strongest(findings), policy.gates.disclosure
    return Judgement(
        "no_undeclared_sensitive_column",
        not blocking,
        "; ".join(d.message for d in told) or "every sensitive column is declared as what it is",
        facts={
            "blocking": len(blocking),
            "overridden": len(overridden),
            "warnings": len(warnings),
            **{f"overridden in {d.column}": str(d.entity) for d in overridden},
            **{
                f"{SINGLED_OUT}{' + '.join(one.columns)}": share_in_words(one.share, rows, control)
                for one, rows in strongest
            },
        },
        pictures={"singled_out.png": singled_out_picture(strongest, control)} if strongest else {},
    )


def _strongest(findings: "Sequence[Finding]") -> "list[tuple[Combination, int]]":
    """The combinations that single most people out, with the number of rows."""
    rows = {one: finding.rows for finding in findings for one in finding.singles_out}
    return sorted(rows.items(), key=lambda found: (-found[0].share, found[0].columns))[:_COMBINATIONS_TOLD]
