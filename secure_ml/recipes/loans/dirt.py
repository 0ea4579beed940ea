"""The mistakes and habits of clerks: wrong digits, mixed formats, unreadable amounts, missing cells.

Belongs here: how a clean value is written down, and how often not well. Must stay out: the clean values.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from secure_ml.recipes.loans.draws import Dates, Draws, Indices
from secure_ml.recipes.loans.remarks import spell_in_groups
from secure_ml.recipes.loans.text import Text, choose, choose_by, digits, from_codes, join, whole

WRONG_AADHAAR_SHARE = 0.01
"""Share of the Aadhaar cells with one digit wrong."""

UNREADABLE_INCOME_SHARE = 0.006
"""Share of the income cells that say "unknown"."""

MISSING_SHARES = {
    "email": 0.02,
    "religion": 0.015,
    "employer": 0.02,
    "education": 0.01,
    "marital_status": 0.01,
    "monthly_income": 0.012,
    "existing_debt": 0.012,
    "bureau_score": 0.025,
    "years_employed": 0.02,
    "pin_code": 0.01,
}
"""Share of the cells of a column that are empty, each drawn for itself."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def write_aadhaar(correct: NDArray[np.uint8], draws: Draws) -> Text:
    """Aadhaar numbers, plain or in groups by spaces or dashes; in some one digit is wrong."""
    rows = np.arange(len(correct))
    place = draws.integers("wrong place", 1, 12)
    offset = np.where(draws.chance("aadhaar wrong", WRONG_AADHAAR_SHARE), draws.integers("wrong by", 1, 10), 0)
    written = correct.copy()
    written[rows, place] = (written[rows, place] + offset) % 10
    plain = from_codes(written + ord("0"))
    style = draws.pick("aadhaar style", [0.70, 0.20, 0.10])
    return choose_by(style, plain, spell_in_groups(plain, " "), spell_in_groups(plain, "-"))


def write_phone(numbers: Indices, draws: Draws) -> Text:
    """Phone numbers as 9876543210, as 098765 43210 or as +91-98765 43210."""
    plain = whole(numbers)
    halves = join(pc.utf8_slice_codeunits(plain, 0, 5), " ", pc.utf8_slice_codeunits(plain, 5, 10))
    style = draws.pick("phone style", [0.64, 0.18, 0.18])
    return choose_by(style, plain, join("0", halves), join("+91-", halves))


def write_birth_date(birth_date: Dates, draws: Draws) -> Text:
    """Dates of birth as 1987-04-12, as 12/04/1987 (day first) or as 12-Apr-1987."""
    date = pa.array(birth_date)
    year, month, day = whole(pc.year(date)), pc.month(date), digits(pc.day(date).to_numpy(), 2)
    number = digits(month.to_numpy(), 2)
    name = pa.array(_MONTHS).take(pc.subtract(month, 1))
    style = draws.pick("date style", [0.82, 0.10, 0.08])
    iso, slashed = join(year, "-", number, "-", day), join(day, "/", number, "/", year)
    return choose_by(style, iso, slashed, join(day, "-", name, "-", year))


def write_income(rupees: Indices, draws: Draws) -> Text:
    """Incomes as 52000, as 1,52,000 (lakhs), as ₹52000, or as "unknown"."""
    plain = whole(rupees)
    below_lakh = join(whole(rupees // 1000), ",", digits(rupees % 1000, 3))
    above_lakh = join(whole(rupees // 100_000), ",", digits(rupees // 1000 % 100, 2), ",", digits(rupees % 1000, 3))
    grouped = choose(rupees >= 100_000, above_lakh, below_lakh)
    style = draws.pick("income style", [0.934, 0.04, 0.02, UNREADABLE_INCOME_SHARE])
    unknown = pa.array(["unknown"] * len(rupees))
    return choose_by(style, plain, grouped, join("₹", plain), unknown)


def lose_cells(columns: dict[str, Text], draws: Draws) -> dict[str, Text]:
    """Empty the cells that clerks left out."""
    lost = {name: draws.chance(f"missing {name}", share) for name, share in MISSING_SHARES.items()}
    return {name: choose(lost[name], None, column) if name in lost else column for name, column in columns.items()}
