"""Checks of split: nobody on two sides, and no feature that gives the label away."""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.checks.assessment import Judge, Judgement, build_checks
from secure_ml.policy.project import Policy
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset

if TYPE_CHECKING:
    from secure_ml.training.leakage import SplitFacts

_DESCRIPTIONS = {
    "no_subject_on_two_sides": "Every subject lies on one side only, and every side holds both outcomes.",
    "no_duplicate_across_sides": "No row, subject included, occurs on two sides.",
    "no_feature_gives_the_label_away": "No feature alone ranks the label better than the policy's bound.",
}


def judge_of(project: Project) -> Judge:
    """What judges a version of one project, in one pass."""

    def judge(split: Dataset) -> Sequence[Judgement]:
        from secure_ml.training.leakage import examine

        return judgements(examine(split, project.policy, pass_key=secrets.token_bytes(32)), project.policy)

    return judge


def build(project: Project, environment: str) -> dg.AssetChecksDefinition:
    """The checks for one project."""
    return build_checks(project, environment, Stage.SPLIT, _DESCRIPTIONS, judge_of(project))


def judgements(facts: "SplitFacts", policy: Policy) -> tuple[Judgement, ...]:
    """The facts as verdicts."""
    sizes = {f"rows_{name}": side.rows for name, side in facts.sides.items()}
    one_class = [f"the side {name} is empty or holds one outcome only" for name in facts.one_class_sides]
    two_sides = [f"{facts.subjects_on_two_sides} subjects lie on two sides"] if facts.subjects_on_two_sides else []
    leaking = facts.leaking(policy.gates.leakage)
    bound = policy.gates.leakage.maximum_single_feature_auc
    aucs = {f"auc.{name}": round(auc, 3) for name, auc in facts.single_feature_auc.items() if auc is not None}
    given_away = "; ".join(
        f"{name} alone ranks the label with AUC {facts.single_feature_auc[name]:.3f}, above {bound:g}: it "
        "is known only after the outcome, so take the use feature from it"
        for name in leaking
    )
    return (
        Judgement(
            "no_subject_on_two_sides",
            not (two_sides or one_class),
            "; ".join([*two_sides, *one_class]) or "every subject lies on one side",
            facts={"subjects_on_two_sides": facts.subjects_on_two_sides, **sizes},
        ),
        Judgement(
            "no_duplicate_across_sides",
            facts.rows_on_two_sides == 0,
            f"{facts.rows_on_two_sides} rows occur on two sides",
            facts={"rows_on_two_sides": facts.rows_on_two_sides, "alike_on_two_sides": facts.alike_on_two_sides},
        ),
        Judgement(
            "no_feature_gives_the_label_away",
            not leaking,
            given_away or f"no feature alone goes beyond AUC {bound:g}",
            facts=aucs,
        ),
    )
