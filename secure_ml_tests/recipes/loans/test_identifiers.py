import re
from typing import Any

import numpy as np
import pytest
from stdnum import verhoeff

from secure_ml.recipes.loans.draws import Draws
from secure_ml.recipes.loans.identifiers import aadhaar_digits, verhoeff_check_digits


def test_check_digit_of_the_textbook_example():
    assert verhoeff_check_digits(np.array([[2, 3, 6]], dtype=np.uint8)).tolist() == [3]


def test_every_clean_aadhaar_passes_an_independent_verhoeff():
    numbers = aadhaar_digits(Draws(5, "person", np.arange(3000, dtype=np.uint64)))
    texts = ["".join(map(str, row)) for row in numbers]
    assert all(verhoeff.is_valid(text) and text[0] in "23456789" for text in texts)
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("column", "pattern"),
    [
        ("application_id", r"LA\d{7}"),
        ("customer_id", r"C\d{10}"),
        ("email", r"[a-z]+\.[a-z]+\d{5}@example\.(com|in|org)"),
        ("phone", r"(\+91-|0)?[6-9]\d{4} ?\d{5}"),
        ("pin_code", r"[1-8]\d{5}"),
        ("aadhaar", r"[2-9]\d{3}([ -]?)\d{4}\1\d{4}"),
        ("pan", r"[A-Z]{3}P[A-Z](?!0000)\d{4}[A-Z]"),
        ("ifsc", r"[A-Z]{4}0\d{6}"),
        ("account_number", r"\d{11}"),
        ("address", r"\d{1,3} [\w ]+, [\w ]+, \w+ \d{6}"),
    ],
)
def test_every_identifier_has_its_form(applications: Any, column: str, pattern: str):
    malformed = sum(re.fullmatch(pattern, text) is None for text in applications[column].dropna())
    assert malformed == 0


def test_pan_carries_the_initial_of_the_surname(applications: Any):
    initials = applications.full_name.str.split(" ").str[-1].str[0]
    assert (applications.pan.str[4] == initials).all()


@pytest.mark.parametrize("column", ["email", "pan", "account_number"])
def test_an_identifier_belongs_to_one_person_and_stays(applications: Any, column: str):
    present = applications.dropna(subset=[column])
    assert present.groupby("customer_id")[column].nunique().max() == 1
    assert present.groupby(column).customer_id.nunique().max() == 1


def test_the_pin_code_is_that_of_the_address(applications: Any):
    present = applications.dropna(subset=["pin_code"])
    assert (present.address.str[-6:] == present.pin_code).all()
    assert (
        present.groupby(present.address.str.extract(r", (\w+) \d{6}$")[0])
        .pin_code.agg(lambda pins: pins.str[:3].nunique())
        .max()
        == 1
    )
