from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from secure_ml.orchestration.component import SensitiveModel
from secure_ml.orchestration.component_schema import PolicyAttributes
from secure_ml_tests.fakes.small_project import Attributes, Change, attributes

SCHEMA = SensitiveModel.get_model_cls().model_json_schema()


def faults(policy: Attributes) -> dict[str, str]:
    """What `dg check yaml` says, by field."""
    return {
        ".".join(str(step) for step in error.absolute_path): error.message
        for error in Draft202012Validator(SCHEMA).iter_errors(policy)
    }


def shipped() -> dict[str, Any]:
    file = Path("secure_ml/defs/loan_approval/defs.yaml")
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))["attributes"]
    return content


def test_the_shipped_policy_and_a_small_one_are_valid() -> None:
    assert faults(shipped()) == {}
    assert faults(attributes(partitioned=True)) == {}


def misspelt_treatment(policy: Attributes) -> None:
    policy["columns"]["income"]["treatment"]["kind"] = "kep"


def field_of_another_treatment(policy: Attributes) -> None:
    policy["columns"]["income"]["treatment"]["keep_last"] = 4


def treatment_without_kind(policy: Attributes) -> None:
    policy["columns"]["income"]["treatment"] = {}


def misspelt_partitions(policy: Attributes) -> None:
    policy["source"]["partitions"]["kind"] = "dynamic"


def misspelt_use(policy: Attributes) -> None:
    policy["columns"]["income"]["use"]["kind"] = "feeture"


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (misspelt_treatment, "columns.income.treatment.kind", "'kep' is not one of"),
        (field_of_another_treatment, "columns.income.treatment", "'keep_last' was unexpected"),
        (treatment_without_kind, "columns.income.treatment", "'kind' is a required property"),
        (misspelt_partitions, "source.partitions.kind", "'dynamic' is not one of"),
        (misspelt_use, "columns.income.use.kind", "'feeture' is not one of"),
    ],
)
def test_a_fault_is_told_at_its_field_and_with_what_is_allowed(change: Change, field: str, words: str) -> None:
    policy = attributes(partitioned=True)
    change(policy)

    found = faults(policy)

    assert list(found) == [field]
    assert words in found[field]


def test_dagster_itself_judges_nothing_so_that_the_loader_can() -> None:
    TypeAdapter(PolicyAttributes).validate_python({"columns": "not even a mapping"})
