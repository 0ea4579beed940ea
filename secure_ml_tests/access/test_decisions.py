from dataclasses import replace
from datetime import UTC, datetime

import pytest

from secure_ml.access.decisions import Request, readable_columns, within_run
from secure_ml.access.stages import CHECKS, PARENTS, SIDES, WHOLE, Stage
from secure_ml.access.tickets import Ticket
from secure_ml.policy.project import Policy
from secure_ml_tests.fakes.small_project import PROJECT, attributes

POLICY = Policy.model_validate(attributes())
TICKET = Ticket(
    "os-user:tester", "run-1", "training", PROJECT, tuple(Stage), "tester", datetime(2031, 1, 1, tzinfo=UTC)
)
STAGES = list(Stage)


def allowed(request: Request) -> bool:
    return within_run(TICKET, request, POLICY).allowed


@pytest.mark.parametrize("by", STAGES)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_its_parents_only(by: Stage, stage: Stage) -> None:
    sections = {Stage.TRAINED: ("train",), Stage.VALIDATED: ("test",)}.get(by, ()) if stage is Stage.SPLIT else ()
    assert allowed(Request("read", by, stage, (), sections)) == (stage in PARENTS[by])


@pytest.mark.parametrize("by", STAGES)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_writes_and_assesses_only_itself(by: Stage, stage: Stage) -> None:
    sections = SIDES if stage is Stage.SPLIT else WHOLE
    assert allowed(Request("write", by, stage, (), sections)) == (by is stage)
    assert allowed(Request("assess", by, stage)) == (by is stage and bool(CHECKS[stage]))


@pytest.mark.parametrize("action", ["read", "assess", "write", "derive_key"])
def test_a_ticket_for_another_project_allows_nothing(action: str) -> None:
    other = replace(TICKET, project="another")
    request = Request(action, Stage.MASKED, Stage.MASKED, (), WHOLE, "token:email")
    assert not within_run(other, request, POLICY).allowed


def test_masked_reads_the_columns_that_survive_and_those_that_decide() -> None:
    columns = readable_columns(Stage.MASKED, Stage.RAW, POLICY)
    assert columns == ("member_id", "income", "region", "diagnosis", "gender", "agreed", "approved")
    for column in columns:
        assert allowed(Request("read", Stage.MASKED, Stage.RAW, (column,)))
    for column in ("full_name", "email", "birth_date", "remark", "undeclared"):
        assert not allowed(Request("read", Stage.MASKED, Stage.RAW, ("income", column)))


def test_masked_reads_direct_identifiers_where_it_must_find_them_in_free_text() -> None:
    content = attributes()
    content["columns"]["remark"]["treatment"] = {"kind": "scrub_text"}
    columns = readable_columns(Stage.MASKED, Stage.RAW, Policy.model_validate(content)) or ()
    assert {"full_name", "email", "remark"} <= set(columns)
    assert "birth_date" not in columns


def test_training_sees_features_label_and_subject_and_validation_the_groups_too() -> None:
    trained = readable_columns(Stage.TRAINED, Stage.SPLIT, POLICY) or ()
    validated = readable_columns(Stage.VALIDATED, Stage.SPLIT, POLICY) or ()
    assert set(trained) == {"income", "region", "approved", "member_id", "__period", "__side"}
    assert set(validated) - set(trained) == {"gender"}
    assert "diagnosis" not in (readable_columns(Stage.SPLIT, Stage.MASKED, POLICY) or ())


@pytest.mark.parametrize(
    ("by", "derivation", "expected"),
    [
        (Stage.MASKED, "token:email", True),
        (Stage.MASKED, "fpe:pan", True),
        (Stage.MASKED, "siv:pan", True),
        (Stage.SPLIT, "fpe:pan", False),
        (Stage.RAW, "siv:pan", False),
        (Stage.MASKED, "surrogate:email:subject", True),
        (Stage.MASKED, "date_shift", True),
        (Stage.TRAINED, "date_shift", False),
        (Stage.SPLIT, "surrogate:email:subject", False),
        (Stage.MASKED, "subject", False),
        (Stage.MASKED, "token", False),
        (Stage.SPLIT, "subject", True),
        (Stage.TRAINED, "subject", True),
        (Stage.SPLIT, "token:email", False),
        (Stage.VALIDATED, "subject", False),
        (Stage.MASKED, "content digest", False),
        (Stage.MASKED, "bucket", False),
    ],
)
def test_keys_are_derived_for_the_stage_that_hashes_with_them(by: Stage, derivation: str, expected: bool) -> None:
    assert allowed(Request("derive_key", by, by, derivation=derivation)) == expected


def test_every_refusal_gives_a_reason() -> None:
    decision = within_run(TICKET, Request("read", Stage.TRAINED, Stage.RAW, ("email",)), POLICY)
    assert (decision.allowed, decision.reason) == (False, "trained may not read raw")
