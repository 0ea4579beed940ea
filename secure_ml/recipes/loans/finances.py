"""Money: occupation, employer, income, debt, the loan asked for, and the drift that begins in the tenth month.

Belongs here: what an application says about means and wishes, as the bank's officer saw it. Must stay out: the
decision (decisions) and mistakes in writing (dirt).
"""

from dataclasses import dataclass

import numpy as np

from secure_ml.recipes.loans.draws import Draws, Flags, Indices, Reals
from secure_ml.recipes.loans.people import People
from secure_ml.recipes.loans.places import EMPLOYER_HEADS, EMPLOYER_TAILS
from secure_ml.recipes.loans.text import Text, choose, join, look_up

DRIFT_FIRST_MONTH = 10
"""Applications from the tenth month of the table on come from a changed world."""

OCCUPATIONS = (
    "salaried_private",
    "salaried_public",
    "self_employed",
    "professional",
    "trader",
    "farmer",
    "teacher",
    "health_worker",
    "gig_worker",
)
_GIG_WORKER = OCCUPATIONS.index("gig_worker")
_WITH_EMPLOYER = np.array([True, True, False, False, False, False, True, True, False])
_OCCUPATION_SHARES = (0.34, 0.15, 0.15, 0.09, 0.10, 0.07, 0.05, 0.05)
_GIG_SHARE, _GIG_SHARE_DRIFTED = 0.005, 0.22

TERMS = (12, 24, 36, 48, 60, 84, 120)

_EDUCATION_PAY = np.array([-0.35, -0.18, -0.02, 0.12, 0.32])
_OCCUPATION_PAY = np.array([0.05, 0.10, 0.00, 0.38, 0.02, -0.28, -0.05, 0.02, -0.30])
_FEMALE_PAY_GAP = 0.17
_FEMALE_EXPERIENCE = 0.55


@dataclass(frozen=True)
class Finances:
    """One application a row; amounts in whole rupees.

    Attributes:
        drifted: Whether the application is of the tenth month or later.
        occupation: Positions in `OCCUPATIONS`.
        employer: Name; missing for those who work for themselves.
        monthly_income: Before the drift's deflation, 8,000 to 900,000.
        existing_debt: Outstanding; zero for about a quarter.
        loan_amount: Asked for.
        loan_term_months: One of `TERMS`.
        bureau_score: 300 to 900.
        years_employed: Whole years.
    """

    drifted: Flags
    occupation: Indices
    employer: Text
    monthly_income: Indices
    existing_debt: Indices
    loan_amount: Indices
    loan_term_months: Indices
    bureau_score: Indices
    years_employed: Indices


def describe_finances(people: People, draws: Draws, *, month_index: int) -> Finances:
    """Invent what each application says about money.

    Args:
        people: Who applies, one row an application.
        draws: Draws of the unit "application".
        month_index: Month of the table, from 0.
    """
    drifted = np.full(len(draws.numbers), month_index + 1 >= DRIFT_FIRST_MONTH)
    occupation = _occupation(people, draws, drifted)
    years = _years_employed(people, draws, occupation)
    income = _monthly_income(people, draws, occupation, years, drifted)
    debt = _existing_debt(people, draws, income, drifted)
    months_of_income = np.exp(2.25 + 0.6 * draws.normal("loan size"))
    loan = _rounded(income * months_of_income, 5_000, 20_000, 15_000_000)
    return Finances(
        drifted=drifted,
        occupation=occupation,
        employer=_employer(people, occupation),
        monthly_income=income,
        existing_debt=debt,
        loan_amount=loan,
        loan_term_months=_term(draws, months_of_income),
        bureau_score=_bureau_score(people, draws, debt / income, drifted),
        years_employed=years,
    )


def _rounded(amount: Reals | Indices, step: int, low: int, high: int) -> Indices:
    return (np.clip(np.rint(amount / step), low // step, high // step) * step).astype(np.int64)


def _occupation(people: People, draws: Draws, drifted: Flags) -> Indices:
    usual = people.draws.pick("occupation", _OCCUPATION_SHARES)
    gig = draws.uniform("gig work") < np.where(drifted, _GIG_SHARE_DRIFTED, _GIG_SHARE)
    return np.where(gig, _GIG_WORKER, usual)


def _employer(people: People, occupation: Indices) -> Text:
    name = join(
        look_up(EMPLOYER_HEADS, people.draws.integers("employer head", 0, len(EMPLOYER_HEADS))),
        " ",
        look_up(EMPLOYER_TAILS, people.draws.integers("employer tail", 0, len(EMPLOYER_TAILS))),
    )
    return choose(_WITH_EMPLOYER[occupation], name, None)


def _years_employed(people: People, draws: Draws, occupation: Indices) -> Indices:
    possible = np.maximum(people.age - 20.0, 1.0)
    share = people.draws.uniform("career") ** 0.7 * np.where(people.gender == 0, _FEMALE_EXPERIENCE, 1.0)
    share = np.where(occupation == _GIG_WORKER, share * 0.4, share)
    return np.floor(possible * share + draws.uniform("career rounding")).astype(np.int64)


def _monthly_income(people: People, draws: Draws, occupation: Indices, years: Indices, drifted: Flags) -> Indices:
    log_income = (
        10.45
        + _EDUCATION_PAY[people.education]
        + _OCCUPATION_PAY[occupation]
        + 0.02 * np.minimum(years, 20)
        - np.where(people.gender == 0, _FEMALE_PAY_GAP, 0.0)
        - np.where(drifted, 0.16, 0.0)
        + 0.42 * people.draws.normal("earning power")
        + 0.06 * draws.normal("pay this month")
    )
    return _rounded(np.exp(log_income), 100, 8_000, 900_000)


def _existing_debt(people: People, draws: Draws, income: Indices, drifted: Flags) -> Indices:
    months_of_income = np.exp(1.0 + 0.7 * people.draws.normal("thrift") + 0.5 * draws.normal("debt today"))
    owed = income * months_of_income * np.where(drifted, 1.55, 1.0)
    return np.where(draws.chance("free of debt", 0.25), 0, _rounded(owed, 500, 1_000, 20_000_000))


def _term(draws: Draws, months_of_income: Reals) -> Indices:
    longer = np.log(months_of_income) - 2.25 + 0.6 * draws.normal("term")
    return np.asarray(TERMS, dtype=np.int64)[np.searchsorted([-1.0, -0.5, 0.0, 0.45, 0.9, 1.4], longer)]


def _bureau_score(people: People, draws: Draws, debt_months: Reals, drifted: Flags) -> Indices:
    score = (
        735.0
        + 62.0 * people.draws.normal("credit history")
        + 28.0 * draws.normal("credit today")
        - 22.0 * np.log1p(debt_months)
        - np.where(drifted, 12.0, 0.0)
    )
    return np.clip(np.rint(score), 300, 900).astype(np.int64)
