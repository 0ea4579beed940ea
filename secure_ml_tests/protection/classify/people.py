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


def digits(source: random.Random, count: int) -> str:
    return "".join(str(source.randint(0, 9)) for _ in range(count))


def letters(source: random.Random, count: int) -> str:
    return "".join(source.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(count))


def aadhaar_virtual_id(source: random.Random) -> str:
    from stdnum import verhoeff

    body = str(source.randint(2, 9)) + digits(source, 14)
    return body + verhoeff.calc_check_digit(body)


def voter_id(source: random.Random) -> str:
    from stdnum import luhn

    body = digits(source, 6)
    return letters(source, 3) + body + luhn.calc_check_digit(body)


def driving_licence(source: random.Random) -> str:
    office = f"{source.choice(('MH', 'KA', 'TN'))}{source.randint(1, 50):02d}"
    return f"{office} {source.randint(1970, 2022)}{digits(source, 7)}"


def upi_id(source: random.Random) -> str:
    return f"{source.choice(GIVEN).lower()}.{digits(source, 4)}@{source.choice(('okaxis', 'ybl', 'paytm', 'sbi'))}"


def abha_number(source: random.Random) -> str:
    return f"91-{digits(source, 4)}-{digits(source, 4)}-{digits(source, 4)}"


def ssn(source: random.Random) -> str:
    return f"{source.randint(1, 665):03d}-{source.randint(1, 99):02d}-{source.randint(1, 9999):04d}"


def itin(source: random.Random) -> str:
    return f"9{digits(source, 2)}-{source.randint(70, 88)}-{digits(source, 4)}"


def routing_number(source: random.Random) -> str:
    from stdnum.us import rtn

    body = f"{source.randint(1, 12):02d}{digits(source, 6)}"
    return body + rtn.calc_check_digit(body)


def npi(source: random.Random) -> str:
    from stdnum import luhn

    body = "1" + digits(source, 8)
    return body + luhn.calc_check_digit(f"80840{body}")


def nhs_number(source: random.Random) -> str:
    while True:
        body = source.choice("467") + digits(source, 8)
        check = -sum(int(digit) * weight for digit, weight in zip(body, range(10, 1, -1), strict=True)) % 11
        if check < 10:
            return f"{body}{check}"


def mac_address(source: random.Random) -> str:
    pairs = [source.randint(0, 127) * 2, *(source.randint(0, 255) for _ in range(5))]
    return ":".join(f"{pair:02x}" for pair in pairs)


def coordinates(source: random.Random) -> str:
    return f"{source.uniform(8, 33):.5f}, {source.uniform(68, 97):.5f}"


def icd_code(source: random.Random) -> str:
    return source.choice(("E11.9", "I10", "J45.909", "M54.5", "F32.1", "O80.0", "K21.9", "S72.001A", "N18.3", "Z79.4"))


def url(source: random.Random) -> str:
    return (
        f"https://{source.choice(('www.', ''))}profiles.example/{source.choice(GIVEN).lower()}?from={digits(source, 3)}"
    )


def access_key(source: random.Random) -> str:
    return "AKIA" + "".join(source.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))


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
