"""Invented people of an Indian bank, with true check digits, as a table of any size."""

import random
from collections.abc import Callable

import pyarrow as pa

GIVEN = ("Ravi", "Priya", "Arjun", "Meera", "Farhan", "Kiran", "Anjali", "Vikram", "Sunita", "Zoravar")
FAMILY = ("Sharma", "Iyer", "Khan", "Patel", "Fernandes", "Reddy", "Okonkwo", "Banerjee", "Tyagarajan", "Singh")


def aadhaar(source: random.Random) -> str:
    from stdnum import verhoeff

    body = str(source.randint(2, 9)) + "".join(str(source.randint(0, 9)) for _ in range(10))
    return body + verhoeff.calc_check_digit(body)


def pan(source: random.Random) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    first = "".join(source.choice(letters) for _ in range(3))
    return f"{first}P{source.choice(letters)}{source.randint(1, 9999):04d}{source.choice(letters)}"


def card(source: random.Random) -> str:
    from stdnum import luhn

    body = "4" + "".join(str(source.randint(0, 9)) for _ in range(14))
    return body + luhn.calc_check_digit(body)


def phone(source: random.Random) -> str:
    a, b = f"{source.randint(60000, 99999)}", f"{source.randint(0, 99999):05d}"
    return source.choice((f"+91-{a} {b}", f"0{a} {b}", f"{a}{b}", f"+91 {a}{b}", f"{a}-{b}", f"91{a}{b}"))


def person(source: random.Random) -> dict[str, object]:
    given, family = source.choice(GIVEN), source.choice(FAMILY)
    number = aadhaar(source)
    tail = source.choice(
        ("", f" Call {phone(source)} after five.", f" Aadhaar {number[:4]} {number[4:8]} {number[8:]}.")
    )
    return {
        "application_id": f"LN-{source.randint(0, 10**9):09d}",
        "full_name": f"{given} {family}",
        "email": f"{given}.{family}{source.randint(1, 9999)}@mail.example.in".lower(),
        "mobile_no": phone(source),
        "residential_address": f"Flat {source.randint(1, 90)}, {source.choice(FAMILY)} Nagar, MG Road, Pune",
        "aadhaar": source.choice(
            (number, f"{number[:4]} {number[4:8]} {number[8:]}", f"{number[:4]}-{number[4:8]}-{number[8:]}")
        ),
        "pan": pan(source),
        "ifsc": f"{source.choice(('HDFC', 'SBIN', 'ICIC'))}0{source.randint(0, 999999):06d}",
        "account_number": str(source.randint(10**10, 10**14)),
        "dob": f"{source.randint(1950, 2004)}-{source.randint(1, 12):02d}-{source.randint(1, 28):02d}",
        "gender": source.choice(("M", "F", "Male", "female")),
        "religion": source.choice(("Hindu", "Muslim", "Christian", "Sikh", "Jain")),
        "pin_code": str(source.randint(110001, 855126)),
        "employer": source.choice(("Tata Motors Ltd", "Self-employed", "Zylo Foods Pvt. Ltd.")),
        "annual_income": str(source.randint(100_000, 5_000_000)),
        "existing_debt": str(source.randint(0, 900_000)),
        "bureau_score": str(source.randint(300, 900)),
        "officer_remarks": f"Applicant was met at the branch and papers seen.{tail}",
        "consent_training": source.choice(("true", "false")),
        "loan_amount": str(source.randint(50_000, 9_000_000)),
        "tenure_months": str(source.choice((12, 24, 36, 60))),
        "product": source.choice(("Home Loan", "Personal Loan", "Gold Loan")),
        "branch_city": source.choice(("Pune", "Chennai", "Kochi")),
        "applied_on": f"2024-{source.randint(1, 12):02d}-{source.randint(1, 28):02d}",
        "defaulted": source.choice(("0", "1")),
    }


def people(rows: int, *, seed: int = 7) -> pa.Table:
    source = random.Random(seed)
    return pa.Table.from_pylist([person(source) for _ in range(rows)])


def column_of(make: Callable[[random.Random], str], rows: int, *, seed: int = 11) -> list[str]:
    source = random.Random(seed)
    return [make(source) for _ in range(rows)]
