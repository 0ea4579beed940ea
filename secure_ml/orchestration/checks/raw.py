"""Checks of raw: schema, and data quality by Great Expectations, in one pass."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.checks.assessment import Judge, Judgement, build_checks
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset

if TYPE_CHECKING:
    from secure_ml.protection.quality import QualityReport

_DESCRIPTIONS = {
    "schema": "Every declared column is there, enough rows came, and cells read as their declared type.",
    "quality": "The policy's expectations, evaluated by Great Expectations; counts only, never cells.",
}


def judge_of(project: Project) -> Judge:
    """What judges a version of one project, in one pass."""

    def judge(raw: Dataset) -> Sequence[Judgement]:
        from secure_ml.protection.quality import inspect_quality

        return judgements(inspect_quality(raw, project.policy))

    return judge


def build(project: Project, environment: str) -> dg.AssetChecksDefinition:
    """The checks for one project."""
    return build_checks(project, environment, Stage.RAW, _DESCRIPTIONS, judge_of(project))


def judgements(report: "QualityReport") -> tuple[Judgement, ...]:
    """The report as verdicts."""
    failed = [result for result in report.expectations if not result.passed]
    return (
        Judgement(
            "schema",
            report.schema_passed,
            "; ".join((*report.schema_faults, *report.notes)) or f"{report.rows} rows, every declared column",
            facts={"rows": report.rows, "undeclared_columns": len(report.undeclared)},
        ),
        Judgement(
            "quality",
            report.quality_passed,
            "; ".join(
                f"{r.column}: {r.expectation}: share {r.share:.4f}, at least {r.mostly:g} is needed" for r in failed
            )
            or f"all {len(report.expectations)} expectations met",
            blocking=report.quality_passed or report.quality_blocking_failed,
            facts={f"{r.column}.{r.expectation}": round(r.share, 6) for r in report.expectations},
            table=[
                {
                    "column": r.column,
                    "expectation": r.expectation,
                    "share": round(r.share, 4),
                    "needed": r.mostly,
                    "result": "passed" if r.passed else "failed" if r.blocking else "warns",
                }
                for r in report.expectations
            ],
        ),
    )
