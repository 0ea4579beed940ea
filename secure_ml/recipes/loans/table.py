"""The loan table, month by month and block by block.

Belongs here: which rows a month and a block hold, and the columns put together. Must stay out: how each column is
made, and files.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from secure_ml.recipes.loans.decisions import Decisions, decide
from secure_ml.recipes.loans.dirt import lose_cells, write_aadhaar, write_birth_date, write_income, write_phone
from secure_ml.recipes.loans.draws import Draws
from secure_ml.recipes.loans.errors import RecipeError
from secure_ml.recipes.loans.finances import OCCUPATIONS, Finances, describe_finances
from secure_ml.recipes.loans.identifiers import MOST_PERSONS, Identifiers, issue_identifiers
from secure_ml.recipes.loans.people import (
    EDUCATIONS,
    GENDERS,
    MARITAL_STATUSES,
    People,
    applicant_numbers,
    describe_people,
)
from secure_ml.recipes.loans.remarks import write_remarks
from secure_ml.recipes.loans.text import Text, choose, digits, join, look_up, whole

BLOCK_ROWS = 16_384
"""Rows of one batch at most; what is held in memory at once."""

COLUMNS = (
    "application_id",
    "application_date",
    "customer_id",
    "full_name",
    "email",
    "phone",
    "address",
    "pin_code",
    "aadhaar",
    "pan",
    "ifsc",
    "account_number",
    "date_of_birth",
    "gender",
    "religion",
    "marital_status",
    "education",
    "occupation",
    "employer",
    "years_employed",
    "monthly_income",
    "existing_debt",
    "bureau_score",
    "loan_amount",
    "loan_term_months",
    "consent_scoring",
    "consent_marketing",
    "officer_remarks",
    "sanction_letter_days",
    "approved",
)
"""The columns in the order of the files; all are text."""

SCHEMA: Any = pa.schema([pa.field(name, pa.string()) for name in COLUMNS])


@dataclass(frozen=True)
class _Block:
    """A run of consecutive applications within one month."""

    month_index: int
    month: "np.datetime64"
    month_first: int
    month_rows: int
    first: int
    size: int


def generate_loans(*, rows: int, months: int, seed: int, first_month: str = "2024-01") -> Iterator[tuple[str, Any]]:
    """Invent loan applications, in order of time.

    Memory does not grow with `rows`: a batch is made, yielded and forgotten. The same arguments give the same rows
    everywhere.

    Args:
        rows: Applications in all; the months share them evenly, the earlier ones take the remainder.
        months: Consecutive calendar months.
        seed: Chooses the people and everything that happens to them.
        first_month: "YYYY-MM".

    Yields:
        The month as "YYYY-MM" and a `pyarrow.RecordBatch` of `SCHEMA` with at most `BLOCK_ROWS` rows.

    Raises:
        RecipeError: If an argument is out of its range.
    """
    _require_valid(rows, months, first_month)
    start = np.datetime64(first_month, "M")
    return ((str(block.month), _applications(block, rows, seed, start)) for block in _blocks(rows, months, start))


def _require_valid(rows: int, months: int, first_month: str) -> None:
    if not 1 <= months <= 1200:
        raise RecipeError("months must lie between 1 and 1,200")
    if not months <= rows <= MOST_PERSONS:
        raise RecipeError(f"rows must lie between the number of months and {MOST_PERSONS:,}")
    if not re.fullmatch(r"(19|20)\d\d-(0[1-9]|1[0-2])", first_month):
        raise RecipeError("the first month must read YYYY-MM, say 2024-01")


def _blocks(rows: int, months: int, start: np.datetime64) -> Iterator[_Block]:
    month_first = 0
    for month_index in range(months):
        month_rows = rows // months + (month_index < rows % months)
        for first in range(month_first, month_first + month_rows, BLOCK_ROWS):
            size = min(BLOCK_ROWS, month_first + month_rows - first)
            yield _Block(month_index, start + np.timedelta64(month_index, "M"), month_first, month_rows, first, size)
        month_first += month_rows


def _applications(block: _Block, rows: int, seed: int, start: np.datetime64) -> Any:
    numbers = np.arange(block.first, block.first + block.size, dtype=np.uint64)
    draws = Draws(seed, "application", numbers)
    people = describe_people(
        Draws(seed, "person", applicant_numbers(seed, numbers)), first_day=start.astype("datetime64[D]")
    )
    finances = describe_finances(people, draws, month_index=block.month_index)
    columns = {
        "application_id": join("LA", digits(numbers.astype(np.int64) + 1, max(7, len(str(rows))))),
        "application_date": _dates(block),
        **_personal_columns(people, issue_identifiers(people, rows=rows), draws),
        **_financial_columns(finances),
        "consent_scoring": choose(draws.chance("consent to scoring", 0.96), "yes", "no"),
        "consent_marketing": choose(draws.chance("consent to marketing", 0.4), "yes", "no"),
        **_decision_columns(decide(people, finances, draws)),
        "monthly_income": write_income(finances.monthly_income, draws),
    }
    columns = lose_cells(columns, draws)
    return pa.RecordBatch.from_arrays([columns[name] for name in COLUMNS], schema=SCHEMA)


def _dates(block: _Block) -> Text:
    first_day = block.month.astype("datetime64[D]")
    days = ((block.month + np.timedelta64(1, "M")).astype("datetime64[D]") - first_day).astype(np.int64)
    place = np.arange(block.size, dtype=np.int64) + (block.first - block.month_first)
    return pa.array(first_day + (place * days // block.month_rows).astype("timedelta64[D]")).cast(pa.string())


def _personal_columns(people: People, identifiers: Identifiers, draws: Draws) -> dict[str, Text]:
    return {
        "customer_id": identifiers.customer_id,
        "full_name": people.full_name,
        "email": identifiers.email,
        "phone": write_phone(identifiers.phone, draws),
        "address": people.address,
        "pin_code": people.pin_code,
        "aadhaar": write_aadhaar(identifiers.aadhaar, draws),
        "pan": identifiers.pan,
        "ifsc": identifiers.ifsc,
        "account_number": identifiers.account_number,
        "date_of_birth": write_birth_date(people.birth_date, draws),
        "gender": look_up(GENDERS, people.gender),
        "religion": people.religion,
        "marital_status": look_up(MARITAL_STATUSES, people.marital_status),
        "education": look_up(EDUCATIONS, people.education),
        "officer_remarks": write_remarks(people, identifiers, draws),
    }


def _financial_columns(finances: Finances) -> dict[str, Text]:
    return {
        "occupation": look_up(OCCUPATIONS, finances.occupation),
        "employer": finances.employer,
        "years_employed": whole(finances.years_employed),
        "existing_debt": whole(finances.existing_debt),
        "bureau_score": whole(finances.bureau_score),
        "loan_amount": whole(finances.loan_amount),
        "loan_term_months": whole(finances.loan_term_months),
    }


def _decision_columns(decisions: Decisions) -> dict[str, Text]:
    return {
        "sanction_letter_days": whole(decisions.sanction_letter_days),
        "approved": choose(decisions.approved, "yes", "no"),
    }
