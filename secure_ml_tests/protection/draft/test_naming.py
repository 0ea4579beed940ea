"""Attributes that only a column's name gives away."""

import pytest

from secure_ml.protection.draft.naming import says_age, says_consent, says_marital


@pytest.mark.parametrize("name", ["marital_status", "MaritalStatus", "married", "marr", "is_divorced", "Civil Status"])
def test_names_of_marital_status(name: str) -> None:
    assert says_marital(name)


@pytest.mark.parametrize("name", ["age", "Age", "age_years", "agesq", "age_at_diagnosis", "patientAge"])
def test_names_of_a_persons_age(name: str) -> None:
    assert says_age(name)


@pytest.mark.parametrize("name", ["consent", "consent_scoring", "OptIn", "gdprConsent"])
def test_names_of_consent(name: str) -> None:
    assert says_consent(name)


@pytest.mark.parametrize("name", ["package", "wage", "average", "loan_age", "agency", "optional", "resented"])
def test_names_that_only_look_alike(name: str) -> None:
    assert [says(name) for says in (says_age, says_marital, says_consent)] == [False, False, False]
