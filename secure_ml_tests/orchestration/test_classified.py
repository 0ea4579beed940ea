"""The check of classified in whole runs: overrides, tokens of few values, and combinations in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from secure_ml.access.stages import Stage
from secure_ml.orchestration.checks.classified import judgement
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.policy.project import Policy
from secure_ml.protection.classify.finding import Combination, Finding
from secure_ml_tests.fakes.dagster_project import dagster_project
from secure_ml_tests.fakes.small_project import Attributes, attributes, declare_all, make_small_project

REASON = "a word of the questionnaire that no doctor wrote"


def classified(folder: Path, instance: dg.DagsterInstance, change: Callable[[Attributes], None]) -> Any:
    """What the check said of the small project under a changed policy."""
    made = dagster_project(make_small_project(folder, change=change), instance)
    result = made.run(Stage.RAW, Stage.CLASSIFIED)
    (told,) = (e for e in result.get_asset_check_evaluations() if e.check_name == "no_undeclared_sensitive_column")
    return told


def not_health(policy: Attributes, *, overridden: str) -> None:
    policy["columns"]["diagnosis"] |= {
        "entity": "none", "category": "internal", "override": {"entity": overridden, "reason": REASON},
    }  # fmt: skip


def test_an_override_lets_the_table_pass_and_stands_in_the_verdict_with_its_reason(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    told = classified(tmp_path, instance, lambda policy: not_health(policy, overridden="health"))
    assert told.passed
    assert "'diagnosis': the policy overrides the finding health with confidence" in told.description
    assert REASON in told.description
    assert told.metadata["overridden"].value == 1
    assert told.metadata["overridden in diagnosis"].value == "health"


def test_an_override_of_another_finding_lets_nothing_pass(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    told = classified(tmp_path, instance, lambda policy: not_health(policy, overridden="icd_code"))
    assert not told.passed
    assert REASON not in told.description


def test_the_override_is_part_of_what_a_manifest_names_by_its_digest() -> None:
    plain, changed = attributes(), attributes()
    declare_all(plain)
    declare_all(changed)
    changed["columns"]["region"]["override"] = {"entity": "place", "reason": REASON}
    first, second = Policy.model_validate(plain), Policy.model_validate(changed)
    assert first.digest != second.digest
    assert first.data_digest != second.data_digest


def test_a_token_of_three_values_is_refused(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    def change(policy: Attributes) -> None:
        declare_all(policy)
        policy["columns"]["region"] |= {"treatment": {"kind": "token"}, "use": {"kind": "never"}}

    told = classified(tmp_path, instance, change)
    assert not told.passed
    assert "column 'region': token puts another value in the place of each" in told.description
    assert "member_id" not in told.description


# Combinations in words


def finding(*combinations: Combination, rows: int) -> Finding:
    return Finding(
        column="income", entity=Entity.INCOME, category=Category.FINANCIAL, identifiability=Identifiability.QUASI,
        confidence=0.9, rows=rows, non_null=rows, pattern_matches=rows, examined=0, validated=0,
        distinct_at_least=rows, context=True, singles_out=combinations, reason="the column's name says so",
    )  # fmt: skip


@pytest.mark.parametrize(("rows", "words"), [(5_000, "61 % of rows"), (25, "some rows")])
def test_the_strongest_combinations_are_told_under_disclosure_control(rows: int, words: str) -> None:
    policy = Policy.model_validate(attributes())
    shares = {f"other_{number}": 0.01 * number for number in range(6, 20)} | {"birth_date": 0.61}
    combinations = [
        Combination(columns=(name, "income"), share=share, low=share, high=share, classes=9)
        for name, share in shares.items()
    ]
    judged = judgement([finding(*combinations, rows=rows)], policy)
    assert set(judged.pictures) == {"singled_out.png"}
    facts = judged.facts
    told = {name: fact for name, fact in facts.items() if name.startswith("singled out by ")}
    assert len(told) == 5
    assert told["singled out by birth_date + income"] == words
    assert "singled out by other_19 + income" in told
    assert "singled out by other_6 + income" not in told


def test_where_nothing_singles_anybody_out_there_is_no_picture() -> None:
    assert not judgement([finding(rows=5_000)], Policy.model_validate(attributes())).pictures
