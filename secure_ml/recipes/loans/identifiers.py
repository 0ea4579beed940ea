"""Numbers and addresses that point to one person: Aadhaar, PAN, IFSC, account, customer, e-mail, phone.

Belongs here: well-formed identifiers, each distinct from person to person, random by construction. Must stay out: the
ways in which clerks write them wrong (dirt).
"""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from secure_ml.recipes.loans.draws import Draws, Indices
from secure_ml.recipes.loans.people import People
from secure_ml.recipes.loans.places import BANK_CODES
from secure_ml.recipes.loans.text import Text, digit_matrix, digits, from_codes, join, look_up

MOST_PERSONS = 10**9
"""More persons than this would need longer identifiers."""

_EMAIL_DOMAINS = ("example.com", "example.in", "example.org")


@dataclass(frozen=True)
class Identifiers:
    """One person's identifiers a row, clean.

    Attributes:
        customer_id: The bank's own number of the person.
        aadhaar: Digits, shape (n, 12), the last one Verhoeff's check digit.
        pan: Five letters, four digits, one letter; the fourth is P, the fifth the initial of the surname.
        ifsc: Bank, zero, branch.
        account_number: Eleven digits.
        email: At a domain that RFC 2606 reserves, or at example.in.
        phone: Ten digits, the first of them 6 to 9.
    """

    customer_id: Text
    aadhaar: NDArray[np.uint8]
    pan: Text
    ifsc: Text
    account_number: Text
    email: Text
    phone: Indices


def issue_identifiers(people: People, *, rows: int) -> Identifiers:
    """Give each person their identifiers.

    Args:
        people: The persons.
        rows: Rows of the whole table; they bound the persons' numbers, and so the digits of e-mail addresses.
    """
    draws = people.draws
    return Identifiers(
        customer_id=join("C", digits(draws.scatter("customer", 30_000, 100_000), 10)),
        aadhaar=aadhaar_digits(draws),
        pan=_pan(draws, people.surname),
        ifsc=join(
            look_up(BANK_CODES, draws.integers("bank", 0, len(BANK_CODES))),
            "0",
            digits(draws.integers("branch", 1, 1800), 6),
        ),
        account_number=digits(draws.scatter("account", 900_000, 100_000) + 10**10, 11),
        email=_email(people, rows),
        phone=phone_numbers(draws, "phone"),
    )


def aadhaar_digits(draws: Draws) -> NDArray[np.uint8]:
    """Twelve digits a person: eleven random ones, the first from 2 to 9, and the check digit."""
    payload = digit_matrix(draws.scatter("aadhaar", 80_000, 1_000_000) + 2 * 10**10, 11)
    return np.concatenate([payload, verhoeff_check_digits(payload)[:, None]], axis=1)


def phone_numbers(draws: Draws, name: str) -> Indices:
    """Ten-digit mobile numbers as integers, from 6,000,000,000 on, distinct from person to person."""
    return draws.scatter(name, 40_000, 100_000) + 6 * 10**9


def verhoeff_check_digits(payload: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Check digits of decimal numbers (J. Verhoeff, Error detecting decimal codes, 1969).

    Args:
        payload: Digits without the check digit, most significant first, shape (n, width).

    Returns:
        Shape (n,).
    """
    product, permutation, inverse = _verhoeff_tables()
    check = np.zeros(len(payload), dtype=np.uint8)
    for place, column in enumerate(payload.T[::-1], start=1):
        check = product[check, permutation[place % 8][column]]
    return inverse[check]


def _verhoeff_tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Multiplication in the dihedral group D5, the powers of Verhoeff's permutation, and the inverses."""
    left, right = np.arange(10)[:, None], np.arange(10)[None, :]
    rotation = np.where(left < 5, left + right, left - right) % 5
    product = np.where((left < 5) == (right < 5), rotation, rotation + 5).astype(np.uint8)
    permutation = np.empty((8, 10), dtype=np.uint8)
    permutation[0] = np.arange(10)
    step = np.array([1, 5, 7, 6, 2, 8, 3, 0, 9, 4], dtype=np.uint8)
    for power in range(1, 8):
        permutation[power] = step[permutation[power - 1]]
    inverse = np.argmin(product, axis=1).astype(np.uint8)
    return product, permutation, inverse


def _pan(draws: Draws, surname: Text) -> Text:
    # The serial number 0000 is never issued.
    letters, tail = np.divmod(draws.scatter("pan", 26**3, 26 * 9999), 26 * 9999)
    codes = np.empty((len(letters), 10), dtype=np.uint8)
    for place in range(3):
        codes[:, place] = ord("A") + letters // 26**place % 26
    codes[:, 3] = ord("P")
    codes[:, 4] = np.frombuffer("".join(pc.utf8_slice_codeunits(surname, 0, 1).to_pylist()).encode(), dtype=np.uint8)
    codes[:, 5:9] = ord("0") + digit_matrix(tail % 9999 + 1, 4)
    codes[:, 9] = ord("A") + tail // 9999
    return from_codes(codes)


def _email(people: People, rows: int) -> Text:
    width = max(4, len(str(rows)))
    half = width // 2
    local = join(
        pc.utf8_lower(people.given_name),
        ".",
        pc.utf8_lower(people.surname),
        digits(people.draws.scatter("email", 10**half, 10 ** (width - half)), width),
    )
    domain = look_up(_EMAIL_DOMAINS, people.draws.integers("email domain", 0, len(_EMAIL_DOMAINS)))
    return join(local, "@", domain)
