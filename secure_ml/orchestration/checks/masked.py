"""Checks of masked: only what the purpose needs, and no identifier left."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.checks.assessment import Judge, Judgement, build_checks
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset

if TYPE_CHECKING:
    from secure_ml.protection.mask.inspection import Inspection

_DESCRIPTIONS = {
    "minimisation": "Exactly the columns that the policy lets through, with its types and labels.",
    "no_residual_identifiers": "No cell that its treatment cannot have made, and no identifier found in any text.",
}


def judge_of(project: Project) -> Judge:
    """What judges a version of one project, in one pass."""

    def judge(masked: Dataset) -> Sequence[Judgement]:
        from secure_ml.protection.mask.inspection import inspect

        return judgements(inspect(masked, project.policy))

    return judge


def build(project: Project, environment: str) -> dg.AssetChecksDefinition:
    """The checks for one project."""
    return build_checks(project, environment, Stage.MASKED, _DESCRIPTIONS, judge_of(project))


def judgements(found: "Inspection") -> tuple[Judgement, ...]:
    """The inspection as verdicts."""
    faults = {
        "missing": found.absent,
        "not wanted": found.surplus,
        "of another type": found.wrong_type,
        "labelled too low": found.under_labelled,
        "too identifiable": found.over_identifiable,
    }
    minimal = [f"{words}: {', '.join(names)}" for words, names in faults.items() if names]
    residual = {name: sum(counts.values()) for name, counts in found.residual.items()}
    left = [f"{name}: {count} cells with an identifier" for name, count in residual.items()]
    left += [f"{name}: {count} cells that its treatment cannot have made" for name, count in found.untreated.items()]
    return (
        Judgement(
            "minimisation",
            not minimal,
            "; ".join(minimal) or "every column is one that the purpose needs",
            facts={"rows": found.rows},
        ),
        Judgement(
            "no_residual_identifiers",
            not left,
            "; ".join(left) or "no identifier was found in any column",
            facts={"rows": found.rows, "residual": sum(residual.values()), "untreated": sum(found.untreated.values())},
        ),
    )
