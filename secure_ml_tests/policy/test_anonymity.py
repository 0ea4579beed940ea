"""What a policy may ask of anonymity, and which columns it is about."""

from typing import Any

import pytest
from pydantic import ValidationError

from secure_ml.policy.labels import Identifiability
from secure_ml.policy.project import Policy
from secure_ml.protection.mask.plan import plan_without_keys
from secure_ml.vault.labels import PUBLIC
from secure_ml_tests.protection.mask.tables import COLUMNS, column, policy

STEP = {"kind": "generalise_number", "step": 5000}


def asking(**anonymity: Any) -> Policy:
    return policy(anonymity={"k": 5, **anonymity})


@pytest.mark.parametrize(
    ("anonymity", "field", "words"),
    [
        ({"k": 1}, "k", "greater than or equal to 2"),
        ({"quasi_identifiers": ["nowhere"]}, "quasi_identifiers", "not among columns"),
        ({"sensitive": ["nowhere"]}, "sensitive", "not among columns"),
        ({"ladders": {"nowhere": [STEP]}}, "ladders", "not among columns"),
        ({"quasi_identifiers": ["name"]}, "quasi_identifiers", "masked does not have"),
        ({"quasi_identifiers": ["customer"]}, "quasi_identifiers", "as a pseudonym"),
        ({"quasi_identifiers": ["remark"]}, "quasi_identifiers", "a direct identifier"),
        ({"quasi_identifiers": []}, "quasi_identifiers", "at least 1"),
        ({"sensitive": ["aadhaar"]}, "sensitive", "as a pseudonym"),
        ({"sensitive": ["born"]}, "sensitive", "is a quasi-identifier"),
        ({"l_diversity": {"kind": "distinct", "minimum": 2}}, "sensitive", "name the columns"),
        ({"t_closeness": 0.2}, "sensitive", "name the columns"),
        ({"l_diversity": {"kind": "distinct", "minimum": 1}, "sensitive": ["score"]}, "minimum", "greater than 1"),
        ({"maximum_suppressed": 1}, "maximum_suppressed", "less than 1"),
        ({"suppress": True, "suppressed_columns": ["score"]}, "suppressed_columns", "no quasi-identifier"),
        ({"suppressed_columns": ["born"]}, "suppressed_columns", "suppress is not asked for"),
        ({"ladders": {"score": [STEP]}}, "ladders.score", "is a quasi-identifier's"),
        ({"ladders": {"income": []}}, "ladders.income", "has treatments"),
        ({"ladders": {"income": [STEP, {"kind": "drop"}]}}, "ladders.income.1", "quasi-identifier at most"),
        ({"ladders": {"income": [STEP, {"kind": "token"}]}}, "ladders.income.1", "quasi-identifier at most"),
        ({"ladders": {"employer": [STEP]}}, "ladders.employer.0", "quasi-identifier at most"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(anonymity: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        asking(**anonymity)
    (error,) = refused.value.errors()
    assert words in error["msg"]
    assert field in str(error.get("ctx", {}).get("field", error["loc"]))


def test_by_default_the_quasi_identifiers_are_those_by_their_label_in_masked() -> None:
    declared = asking()
    labels = plan_without_keys(declared).labels(declared)
    assert declared.quasi_identifiers == tuple(
        name for name, label in labels.items() if label.identifiability is Identifiability.QUASI
    )
    # The last digits of a telephone number are known to many.
    assert declared.quasi_identifiers == ("phone", "account", "born", "pin", "income", "employer")
    assert policy().quasi_identifiers == ()


def test_a_table_without_quasi_identifiers_has_no_classes() -> None:
    columns = {name: column for name, column in COLUMNS.items() if name in {"customer", "agreed", "approved", "score"}}
    with pytest.raises(ValidationError, match="no column of masked is a quasi-identifier"):
        policy(columns, anonymity={"k": 2})


def test_a_free_text_is_no_quasi_identifier_however_it_is_declared() -> None:
    columns = {**COLUMNS, "note": column(treatment="scrub_text", entity="free_text", level="quasi", use="review")}
    assert "note" not in policy(columns, anonymity={"k": 2}).quasi_identifiers


@pytest.mark.parametrize(("risk", "smallest"), [(None, 5), (0.5, 5), (0.2, 5), (0.19, 6), (0.1, 10), (1 / 3, 5)])
def test_the_smallest_class_serves_k_and_the_highest_risk(risk: float | None, smallest: int) -> None:
    anonymity = asking(maximum_prosecutor_risk=risk).anonymity
    assert anonymity is not None
    assert anonymity.smallest_class == smallest


def test_what_is_asked_governs_the_data() -> None:
    assert asking().data_digest != policy().data_digest
    assert asking(suppress=True).data_digest != asking().data_digest


def test_only_what_suppression_empties_depends_on_other_columns() -> None:
    declared = asking(suppress=True, sensitive=["score"], quasi_identifiers=["born", "pin"])
    assert declared.suppressed_by("born") == ("born", "pin", "score")
    assert declared.suppressed_by("income") == ()
    assert asking(quasi_identifiers=["born", "pin"]).suppressed_by("born") == ()
    assert plan_without_keys(declared).labels(declared)["salaried"] != PUBLIC
