"""Checks of masked: only what the purpose needs, no identifier left, and nobody alone with their quasi-identifiers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.checks.assessment import Judge, Judgement, build_checks
from secure_ml.policy.project import Policy
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset

if TYPE_CHECKING:
    from secure_ml.protection.mask.inspection import Inspection

_DESCRIPTIONS = {
    "minimisation": "Exactly the columns that the policy lets through, with its types and labels.",
    "no_residual_identifiers": "No cell that its treatment cannot have made, and no identifier found in any text.",
    "anonymity": "As many people share each combination of quasi-identifiers, and as diverse ones, as the policy asks.",
}


_DIGITS = 6


def judge_of(project: Project) -> Judge:
    """What judges a version of one project, in one pass."""

    def judge(masked: Dataset) -> Sequence[Judgement]:
        from secure_ml.protection.mask.inspection import inspect

        return judgements(inspect(masked, project.policy), project.policy)

    return judge


def build(project: Project, environment: str) -> dg.AssetChecksDefinition:
    """The checks for one project."""
    return build_checks(project, environment, Stage.MASKED, _DESCRIPTIONS, judge_of(project))


def judgements(found: "Inspection", policy: Policy) -> tuple[Judgement, ...]:
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
            table=_treated(policy),
        ),
        Judgement(
            "no_residual_identifiers",
            not left,
            "; ".join(left) or "no identifier was found in any column",
            facts={"rows": found.rows, "residual": sum(residual.values()), "untreated": sum(found.untreated.values())},
        ),
        _anonymity(found, policy),
    )


def _treated(policy: Policy) -> list[dict[str, str]]:
    """What the policy asks for each column of raw, those that are left out as well."""
    from secure_ml.protection.mask.describe import describe_treatment
    from secure_ml.protection.mask.plan import plan_without_keys

    left, label = plan_without_keys(policy).labels(policy), policy.label
    return [
        {
            "column": name,
            "holds": str(column.entity),
            "in raw identifies": str(column.identifiability),
            "treatment": f"true for {label.positive}" if name == label.column else describe_treatment(column),
            "in masked identifies": str(left[name].identifiability) if name in left else "not there",
            "use": column.use.kind,
        }
        for name, column in policy.columns.items()
    ]


def _anonymity(found: "Inspection", policy: Policy) -> Judgement:
    """The classes as a verdict, with a picture of how many people are in small ones."""
    if policy.anonymity is None:
        words = "the policy asks for no anonymity: nobody has counted how few people share their quasi-identifiers"
        return Judgement("anonymity", True, words)
    if found.classes is None:
        return Judgement(
            "anonymity", False, "a column that the policy's anonymity is about is missing: see minimisation"
        )
    from secure_ml.assessment.figures.class_sizes import class_sizes_picture
    from secure_ml.protection.anonymity.judgement import measure

    measured = measure(found.classes, policy.anonymity)
    faults = measured.faults(policy.anonymity)
    named = ", ".join(policy.quasi_identifiers)
    told = f"in this version alone, every combination of {named} is shared by {measured.k} subjects or more"
    facts: dict[str, int | float] = {
        "k": measured.k,
        "classes": measured.classes,
        "prosecutor_risk": measured.risks.prosecutor,
        "journalist_risk": measured.risks.journalist,
        "marketer_risk": measured.risks.marketer,
        "without_quasi_identifiers": measured.suppressed,
        **{f"l.{name}": value for name, value in measured.diversity.items()},
        **{f"t.{name}": value for name, value in measured.distance.items()},
    }
    picture = class_sizes_picture(found.classes, k=policy.anonymity.k, control=policy.gates.disclosure)
    return Judgement(
        "anonymity",
        not faults,
        "; ".join(faults) or told,
        facts={name: round(value, _DIGITS) for name, value in facts.items()},
        pictures={"class_sizes.png": picture},
    )
