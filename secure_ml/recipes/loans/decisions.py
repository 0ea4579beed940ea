"""The bank's decision, the bias planted in it, and the column that gives it away.

Belongs here: how merit, bias and chance make the outcome, and what is only known after it. Must stay out: everything
that was known before.
"""

from dataclasses import dataclass

import numpy as np

from secure_ml.recipes.loans.draws import Draws, Flags, Indices, Reals
from secure_ml.recipes.loans.finances import OCCUPATIONS, Finances
from secure_ml.recipes.loans.people import People

FEMALE_LOGIT_SHIFT = -0.62
"""The planted bias: at equal merit a woman's log-odds of approval are lower by this much."""

DRIFT_LOGIT_SHIFT = -0.45
"""From the tenth month on the same application has lower log-odds of approval."""

_OCCUPATION_MERIT = dict(
    zip(OCCUPATIONS, (0.15, 0.55, -0.15, 0.35, -0.10, -0.35, 0.30, 0.30, -0.75), strict=True),
)
_EDUCATION_MERIT = np.array([-0.35, -0.15, 0.0, 0.12, 0.25])
_LETTER_LOST, _LETTER_WITHDRAWN = 0.006, 0.008


@dataclass(frozen=True)
class Decisions:
    """One application a row.

    Attributes:
        approved: The outcome.
        sanction_letter_days: Days until the sanction letter went out; 0 where none did. Known only after the decision.
    """

    approved: Flags
    sanction_letter_days: Indices


def decide(people: People, finances: Finances, draws: Draws) -> Decisions:
    """Decide every application."""
    log_odds = (
        merit(people, finances)
        + np.where(people.gender == 0, FEMALE_LOGIT_SHIFT, 0.0)
        + np.where(finances.drifted, DRIFT_LOGIT_SHIFT, 0.0)
        + 0.60 * draws.normal("officer's mood")
    )
    approved = draws.uniform("decision") < 1.0 / (1.0 + np.exp(-log_odds))
    lost, withdrawn = draws.chance("letter lost", _LETTER_LOST), draws.chance("letter withdrawn", _LETTER_WITHDRAWN)
    days = np.where(np.where(approved, ~lost, withdrawn), draws.integers("letter days", 2, 22), 0)
    return Decisions(approved=approved, sanction_letter_days=days)


def merit(people: People, finances: Finances) -> Reals:
    """Log-odds of approval of an unbiased officer in the first nine months.

    Nearly a sum of one curve a column; the step for poor bureau scores under heavy debt is the only true
    interaction.
    """
    income = np.log(finances.monthly_income)
    debt_months = finances.existing_debt / finances.monthly_income
    loan_months = finances.loan_amount / finances.monthly_income
    occupation = np.array([_OCCUPATION_MERIT[name] for name in OCCUPATIONS])
    return np.asarray(
        1.32
        + 1.45 * np.clip((finances.bureau_score - 705.0) / 70.0, -2.5, 1.8)
        - 0.75 * (np.log1p(debt_months) - 1.0)
        + 0.75 * (income - 10.6) / 0.5
        + 0.38 * (np.sqrt(np.minimum(finances.years_employed, 25)) - 2.6)
        - 0.85 * (np.log(loan_months) - 2.25)
        - 0.35 * (finances.loan_term_months >= 84)
        + occupation[finances.occupation]
        + _EDUCATION_MERIT[people.education]
        - 0.60 * ((finances.bureau_score < 640) & (debt_months > 4.0)),
        dtype=np.float64,
    )
