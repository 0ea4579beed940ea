"""The page of masked says what was asked for each column, those that are left out as well."""

from secure_ml.orchestration.checks.masked import _treated
from secure_ml.policy.project import Policy
from secure_ml_tests.fakes.small_project import attributes


def test_every_column_of_the_policy_has_its_treatment_and_what_is_left_of_it() -> None:
    content = attributes()
    content["columns"]["diagnosis"] |= {"treatment": {"kind": "drop"}, "use": {"kind": "never"}}
    policy = Policy.model_validate(content)
    rows = {row["column"]: row for row in _treated(policy)}
    assert list(rows) == list(policy.columns)
    assert (rows["diagnosis"]["treatment"], rows["diagnosis"]["in masked identifies"]) == ("dropped", "not there")
    assert rows["member_id"]["treatment"] == "keyed token"
    assert rows["member_id"]["in masked identifies"] == "pseudonym"
    assert rows[policy.label.column]["treatment"] == f"true for {policy.label.positive}"
