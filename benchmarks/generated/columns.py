"""Columns of identifiers and of what resembles them, from a seed; check digits by python-stdnum.

Belongs here: makers of one cell, and the columns made of them. Must stay out: measuring, and any detector.
"""

import datetime
import random
import string
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stdnum import luhn, verhoeff
from stdnum.ean import calc_check_digit as calc_ean_check_digit
from stdnum.iso7064 import mod_97_10
from stdnum.us import rtn

from secure_ml.policy.labels import Entity

Maker = Callable[[random.Random], str]

GIVEN = (
    "Aarav", "Aditi", "Ajay", "Alice", "Amit", "Ananya", "Anil", "Arjun", "Asha", "Bhavna", "Carlos", "Chitra",
    "Daniel", "Deepak", "Divya", "Emily", "Farhan", "Fatima", "Gaurav", "Harish", "Ishaan", "Jennifer", "Kavya",
    "Kiran", "Lakshmi", "Manoj", "Maria", "Meera", "Mohammed", "Nikhil", "Olivia", "Pooja", "Prakash", "Priya",
    "Rahul", "Rekha", "Rohan", "Sandeep", "Shreya", "Sunita", "Thomas", "Uma", "Vikram", "Yash", "Zara",
)  # fmt: skip
FAMILY = (
    "Agarwal", "Bose", "Chauhan", "Das", "Desai", "Dutta", "Fernandes", "Garcia", "Ghosh", "Gupta", "Iyer",
    "Jain", "Joshi", "Kapoor", "Khan", "Kulkarni", "Kumar", "Mehta", "Menon", "Mishra", "Nair", "Naidu", "Patel",
    "Pillai", "Rao", "Reddy", "Roy", "Saxena", "Sen", "Shah", "Sharma", "Singh", "Smith", "Taylor", "Verma",
    "Wilson", "Yadav",
)  # fmt: skip
STREETS = ("MG Road", "Station Road", "Gandhi Nagar", "Park Street", "Lake View Layout", "Rose Lane", "Church Street")
CITIES = ("Pune", "Chennai", "Kochi", "Jaipur", "Nagpur", "Surat", "Mysuru", "Patna")
BANKS = ("HDFC", "SBIN", "ICIC", "UTIB", "PUNB", "KKBK")
STATES = ("MH12", "KA05", "DL08", "TN09", "GJ01", "KL07", "UP32")
WORDS = (
    "papers", "seen", "and", "found", "good", "at", "the", "branch", "customer", "asked", "for", "a", "later",
    "date", "income", "proof", "pending", "flat", "visited", "with", "the", "officer", "second", "visit",
    "planned", "asked", "about", "the", "rate", "of", "interest", "and", "the", "fee", "no", "objection",
    "guarantor", "present",
)  # fmt: skip


def digits(source: random.Random, count: int) -> str:
    """That many digits."""
    return f"{source.randrange(10**count):0{count}d}"


def letters(source: random.Random, count: int) -> str:
    """That many capital letters."""
    return "".join(source.choices(string.ascii_uppercase, k=count))


def name(source: random.Random) -> str:
    """A full name."""
    return f"{source.choice(GIVEN)} {source.choice(string.ascii_uppercase)}. {source.choice(FAMILY)}"


def email(source: random.Random) -> str:
    """An e-mail address of an example's domain."""
    domain = source.choice(("mail.example.in", "post.example.com", "example.org"))
    return f"{source.choice(GIVEN)}.{source.choice(FAMILY)}{source.randrange(10_000)}@{domain}".lower()


def mobile(source: random.Random) -> str:
    """An Indian mobile number, as people write it."""
    number = source.choice("6789") + digits(source, 9)
    return source.choice((number, f"+91 {number[:5]} {number[5:]}", f"+91-{number}", f"0{number}"))


def aadhaar(source: random.Random) -> str:
    """An Aadhaar number with its check digit."""
    body = source.choice("23456789") + digits(source, 10)
    number = body + verhoeff.calc_check_digit(body)
    return source.choice((number, number, f"{number[:4]} {number[4:8]} {number[8:]}"))


def pan(source: random.Random) -> str:
    """A PAN."""
    serial = f"{source.randint(1, 9999):04d}"
    return f"{letters(source, 3)}{source.choice('PPPPCHF')}{letters(source, 1)}{serial}{letters(source, 1)}"


def card(source: random.Random) -> str:
    """A card number with its check digit."""
    body = source.choice(("4" + digits(source, 14), f"5{source.randint(1, 5)}{digits(source, 13)}"))
    number = body + luhn.calc_check_digit(body)
    return source.choice((number, number, " ".join(number[i : i + 4] for i in range(0, 16, 4))))


def iban(source: random.Random) -> str:
    """A German or British IBAN with its check digits."""
    country, bank = source.choice((("DE", digits(source, 18)), ("GB", letters(source, 4) + digits(source, 14))))
    check = mod_97_10.calc_check_digits(bank + country)
    return f"{country}{check}{bank}"


def account(source: random.Random) -> str:
    """A bank account number."""
    return str(source.randint(10**10, 10**15))


def address(source: random.Random) -> str:
    """An Indian postal address on one line."""
    house = source.choice(
        (f"Flat {source.randint(1, 99)}", f"No. {source.randint(1, 400)}", f"{source.randint(1, 99)}")
    )
    pin = f"{source.randint(1, 8)}{digits(source, 5)}"
    return f"{house}, {source.choice(FAMILY)} House, {source.choice(STREETS)}, {source.choice(CITIES)} {pin}"


def remark(source: random.Random) -> str:
    """A remark; in a fifth of them an identifier."""
    text = " ".join(source.choices(WORDS, k=source.randint(6, 16)))
    held = source.random()
    if held < 0.1:
        return f"{text}. Call {mobile(source)} after five"
    if held < 0.15:
        return f"{text}, mail {email(source)}"
    if held < 0.2:
        return f"{text}; Aadhaar {aadhaar(source)}"
    return text


def date(source: random.Random, *, first: int = 1950, years: int = 55) -> str:
    """A day from the first year on."""
    return str(datetime.date(first, 1, 1) + datetime.timedelta(days=source.randrange(365 * years)))


def ifsc(source: random.Random) -> str:
    """An IFSC."""
    return f"{source.choice(BANKS)}0{digits(source, 6)}"


def gstin(source: random.Random) -> str:
    """A GSTIN with its check digit."""
    body = f"{source.choice(('27', '29', '07', '33'))}{pan(source)}{source.randint(1, 9)}Z"
    return body + luhn.calc_check_digit(body, string.digits + string.ascii_uppercase)


def ip_address(source: random.Random) -> str:
    """An address of IP version 4."""
    return ".".join(str(source.randint(1, 254)) for _ in range(4))


def vehicle(source: random.Random) -> str:
    """An Indian vehicle's registration."""
    return f"{source.choice(STATES)}{letters(source, 2)}{source.randint(1, 9999):04d}"


def voter_id(source: random.Random) -> str:
    """A voter id with its check digit."""
    body = digits(source, 6)
    return letters(source, 3) + body + luhn.calc_check_digit(body)


def upi_id(source: random.Random) -> str:
    """A UPI id."""
    return f"{source.choice(GIVEN)}{digits(source, 3)}@{source.choice(('okaxis', 'ybl', 'oksbi', 'paytm'))}".lower()


def url(source: random.Random) -> str:
    """A web address of a person's page."""
    return (
        f"https://www.example.{source.choice(('com', 'org', 'in'))}/p/{source.choice(GIVEN).lower()}{digits(source, 4)}"
    )


def mac_address(source: random.Random) -> str:
    """A MAC address."""
    return ":".join(f"{source.randrange(256):02X}" for _ in range(6))


def ssn(source: random.Random) -> str:
    """A social security number that could be issued."""
    area = source.choice([number for number in range(1, 900) if number != 666])
    return f"{area:03d}-{source.randint(1, 99):02d}-{source.randint(1, 9999):04d}"


def routing(source: random.Random) -> str:
    """A routing number with its check digit."""
    body = source.choice(("02", "11", "06", "31")) + digits(source, 6)
    return body + rtn.calc_check_digit(body)


def npi(source: random.Random) -> str:
    """An NPI with its check digit."""
    body = source.choice("12") + digits(source, 8)
    return body + luhn.calc_check_digit("80840" + body)


def nhs_number(source: random.Random) -> str:
    """An NHS number of an issued range, with its check digit."""
    while True:
        body = source.choice("467") + digits(source, 8)
        if (check := _modulo_11(body)) != "X":
            return body + check


def _modulo_11(body: str) -> str:
    # What python-stdnum keeps to itself: the check digit that NHS numbers and books share.
    return "0123456789X"[-sum(weight * int(d) for weight, d in zip(range(10, 1, -1), body, strict=True)) % 11]


def itin(source: random.Random) -> str:
    """An ITIN of a group that is given out."""
    return f"9{digits(source, 2)}-{source.choice((50, 65, 70, 88, 90, 94, 99))}-{digits(source, 4)}"


def virtual_id(source: random.Random) -> str:
    """An Aadhaar virtual id with its check digit."""
    body = source.choice("23456789") + digits(source, 14)
    return body + verhoeff.calc_check_digit(body)


def abha_number(source: random.Random) -> str:
    """An ABHA number as it is printed."""
    return f"{source.randint(10, 99)}-{digits(source, 4)}-{digits(source, 4)}-{digits(source, 4)}"


def licence(source: random.Random) -> str:
    """An Indian driving licence's number."""
    return f"{source.choice(STATES)} {source.randint(1990, 2024)}{digits(source, 7)}"


def coordinates(source: random.Random) -> str:
    """A place in India, to a metre."""
    return f"{source.uniform(8, 33):.5f}, {source.uniform(69, 95):.5f}"


def group(source: random.Random) -> str:
    """An ethnic group's or a caste category's name."""
    return source.choice(("Hispanic", "Asian", "Caucasian", "Scheduled Tribe", "OBC"))


def swift_bic(source: random.Random) -> str:
    """A BIC of eight or eleven characters."""
    return (
        letters(source, 4)
        + source.choice(("DE", "GB", "IN", "US", "FR"))
        + letters(source, 2)
        + source.choice(("", "X" * 3))
    )


def passport(source: random.Random) -> str:
    """An Indian passport's number."""
    return f"{source.choice('JKLMNPRSTUVZ')}{source.randint(1, 9)}{digits(source, 6)}"


def gender(source: random.Random) -> str:
    """A gender's word."""
    return source.choice(("Male", "Female", "Female", "Male", "Transgender"))


def religion(source: random.Random) -> str:
    """A religion's word."""
    return source.choice(("Hindu", "Muslim", "Christian", "Sikh", "Jain", "Buddhist"))


def amount(source: random.Random) -> str:
    """An amount with two decimals."""
    return f"{source.lognormvariate(12, 1):.2f}"


def salary(source: random.Random) -> str:
    """A year's salary."""
    return str(source.randrange(100_000, 5_000_000, 500))


def pin_code(source: random.Random) -> str:
    """An Indian postal code."""
    return f"{source.randint(1, 8)}{digits(source, 5)}"


def diagnosis(source: random.Random) -> str:
    """A diagnosis in words."""
    return source.choice(("Type 2 diabetes", "Hypertension", "Asthma", "Migraine", "Iron deficiency anaemia"))


def icd_code(source: random.Random) -> str:
    """A code of ICD-10."""
    return source.choice(("E11.9", "I10", "J45.909", "G43.1", "D50.9", "C50.2", "F32.1", "K21.0"))


def employer(source: random.Random) -> str:
    """A company's name."""
    return f"{source.choice(FAMILY)} {source.choice(('Foods', 'Motors', 'Textiles', 'Systems'))} Pvt. Ltd."


def token(source: random.Random) -> str:
    """A token of the form that a forge issues."""
    return "ghp_" + "".join(source.choices(string.ascii_letters + string.digits, k=36))


def isbn(source: random.Random) -> str:
    """An ISBN-10 with its check digit."""
    body = source.choice("0138") + digits(source, 8)
    return body + _modulo_11(body)


def imei(source: random.Random) -> str:
    """A device's IMEI with its check digit, by the same rule as a card's."""
    body = source.choice(("35", "86", "01")) + digits(source, 12)
    return body + luhn.calc_check_digit(body)


def ean(source: random.Random) -> str:
    """An article's number of thirteen digits, with its check digit."""
    body = source.choice(("40", "50", "89", "93")) + digits(source, 10)
    return body + calc_ean_check_digit(body)


MILLION: dict[str, Maker] = {
    "application_id": lambda s: f"LN-{digits(s, 9)}",
    "full_name": name,
    "email": email,
    "mobile_no": mobile,
    "aadhaar_no": aadhaar,
    "pan": pan,
    "card_number": card,
    "iban": iban,
    "account_no": account,
    "residential_address": address,
    "officer_remarks": remark,
    "date_of_birth": date,
    "loan_amount": amount,
    "product": lambda s: s.choice(("Home Loan", "Gold Loan", "Personal Loan", "Education Loan")),
    "login_ip": ip_address,
    "ifsc": ifsc,
    "gender": gender,
    "annual_income": salary,
    "branch_code": lambda s: f"BR{digits(s, 4)}",
    "applied_on": lambda s: date(s, first=2020, years=5),
}
"""Twenty columns of loan applications, by name."""


@dataclass(frozen=True)
class Column:
    """A column whose content is known.

    Attributes:
        name: as the table calls it.
        maker: makes its cells.
        entity: what it holds; `Entity.NONE` for what only resembles something.
    """

    name: str
    maker: Maker
    entity: Entity


# Recognisable by themselves, and under a name that says so.
_TELLING: tuple[tuple[Entity, Maker, str], ...] = (
    (Entity.AADHAAR, aadhaar, "aadhaar_no"),
    (Entity.PAN, pan, "pan_number"),
    (Entity.CARD, card, "card_number"),
    (Entity.IBAN, iban, "iban"),
    (Entity.EMAIL, email, "email"),
    (Entity.PHONE, mobile, "mobile_no"),
    (Entity.IP_ADDRESS, ip_address, "client_ip"),
    (Entity.GSTIN, gstin, "gstin"),
    (Entity.VEHICLE_NUMBER, vehicle, "vehicle_no"),
    (Entity.URL, url, "url"),
    (Entity.MAC_ADDRESS, mac_address, "mac_address"),
    (Entity.UPI_ID, upi_id, "upi_id"),
    (Entity.IFSC, ifsc, "ifsc_code"),
    (Entity.SSN, ssn, "ssn"),
    (Entity.SECRET, token, "api_key"),
    (Entity.NHS_NUMBER, nhs_number, "nhs_number"),
    (Entity.PERSON_NAME, name, "full_name"),
    (Entity.POSTAL_ADDRESS, address, "address"),
    (Entity.GENDER, gender, "gender"),
    (Entity.RELIGION, religion, "religion"),
    (Entity.HEALTH, diagnosis, "diagnosis"),
    (Entity.AADHAAR_VIRTUAL_ID, virtual_id, "aadhaar_vid"),
    (Entity.ABHA_NUMBER, abha_number, "abha_number"),
    (Entity.DRIVING_LICENCE, licence, "driving_licence"),
    (Entity.GEO_COORDINATES, coordinates, "gps"),
    (Entity.ITIN, itin, "itin"),
    (Entity.ETHNICITY, group, "ethnicity"),
)
# Numbers like any other: only the name tells.
_BY_NAME: tuple[tuple[Entity, Maker, str], ...] = (
    (Entity.ACCOUNT_NUMBER, account, "account_number"),
    (Entity.ROUTING_NUMBER, routing, "routing_number"),
    (Entity.NPI, npi, "npi"),
    (Entity.VOTER_ID, voter_id, "voter_id"),
    (Entity.PASSPORT, passport, "passport_no"),
    (Entity.SWIFT_BIC, swift_bic, "swift_code"),
    (Entity.ICD_CODE, icd_code, "icd10"),
    (Entity.DATE_OF_BIRTH, date, "date_of_birth"),
    (Entity.PIN_CODE, pin_code, "pin_code"),
    (Entity.INCOME, salary, "annual_income"),
    (Entity.EMPLOYER, employer, "employer"),
    (Entity.PLACE, lambda s: s.choice(CITIES), "city"),
    (Entity.MEDICAL_RECORD_NUMBER, lambda s: f"MR{digits(s, 7)}", "mrn"),
    (Entity.SUBJECT_ID, lambda s: f"C{digits(s, 8)}", "customer_id"),
)
_NEAR_MISSES: dict[str, Maker] = {
    "order_number": lambda s: "4" + digits(s, 15),
    "shipment_no": lambda s: f"5{s.randint(1, 5)}{digits(s, 14)}",
    "invoice_no": lambda s: s.choice("23456789") + digits(s, 11),
    "product_code": lambda s: s.choice("6789") + digits(s, 9),
    "part_no": lambda s: digits(s, 9),
    "batch_no": lambda s: f"{digits(s, 3)}-{digits(s, 3)}-{digits(s, 4)}",
    "sku": lambda s: f"{letters(s, 5)}{digits(s, 4)}{letters(s, 1)}",
    "model_code": lambda s: f"{letters(s, 2)}{digits(s, 2)}{letters(s, 2)}{digits(s, 4)}",
    "asset_tag": lambda s: f"{letters(s, 4)}{s.randint(1, 9)}{digits(s, 6)}",
    "lot": lambda s: f"{letters(s, 1)}{digits(s, 7)}",
    "firmware": lambda s: f"{s.randint(0, 9)}.{s.randint(0, 30)}.{s.randint(0, 30)}.{s.randint(0, 999)}",
    "opens_at": lambda s: f"{s.randint(0, 23):02d}:{s.randint(0, 59):02d}:{s.randint(0, 59):02d}",
    "updated": lambda s: str(s.randint(1_600_000_000, 1_760_000_000)),
    "updated_ms": lambda s: str(s.randint(1_600_000_000_000, 1_760_000_000_000)),
    "barcode": lambda s: "890" + digits(s, 10),
    "checksum": lambda s: f"{s.getrandbits(128):032x}",
    "trace": lambda s: str(uuid.UUID(int=s.getrandbits(128), version=4)),
    "colour": lambda s: s.choice(("white", "black", "rose", "olive", "amber")),
    "plan": lambda s: s.choice(("Grant Classic", "Summer Breeze", "Violet Plus", "Gold Saver")),
    "status": lambda s: s.choice(("approved", "pending", "closed")),
    "handle_count": lambda s: f"{s.randint(0, 99)} @ {s.randint(1, 99)}",
    "quantity": lambda s: str(s.randint(1, 5000)),
    "price": amount,
    "ratio": lambda s: f"{s.random():.6f}",
    "applied_on": lambda s: date(s, first=2020, years=5),
    "tracking": lambda s: f"1Z{letters(s, 3)}{digits(s, 11)}",
    "isbn": isbn,
    "imei": imei,
    "ean": ean,
    "serial": lambda s: f"SN{digits(s, 12)}",
    "file": lambda s: f"scan_{digits(s, 8)}.pdf",
    "grid": lambda s: f"{letters(s, 2)}{digits(s, 2)}",
    "duration": lambda s: f"{s.randint(1, 90)} days",
    "ordered": lambda s: f"98111{s.randint(0, 40):05d}",
    "section": lambda s: f"{s.randint(10, 30)}.{s.randint(1, 9)}.{s.randint(1, 9)}.{s.randint(1, 30)}",
    "limits": lambda s: f"{s.random():.4f}, {s.uniform(1, 4):.4f}",
    "shift": lambda s: f"{s.uniform(-3, 3):.5f},{s.uniform(-3, 3):.5f}",
    "bin": lambda s: f"{letters(s, 4)}0{digits(s, 6)}",
    "course_name": lambda s: s.choice(("Algebra Two", "Spoken Tamil", "Pottery", "Basic Accounts")),
    "film": lambda s: s.choice(("Kabir Singh", "Jolly LLB", "Rocky", "Maria", "Sholay")),
    "clothes": lambda s: s.choice(("man", "woman", "kids", "unisex")),
    "floor": lambda s: f"Block {letters(s, 1)}, Floor {s.randint(1, 9)}",
    "phase": lambda s: f"Phase {s.randint(1, 4)} trial",
    "awb": lambda s: f"{digits(s, 3)}-{digits(s, 8)}",
    "epc": lambda s: f"{s.getrandbits(96):024x}",
    "share": lambda s: f"{s.uniform(0, 100):.2f}%",
    "rating": lambda s: f"{s.randint(1, 5)}/5",
    "draw": lambda s: "-".join(f"{s.randint(1, 49):02d}" for _ in range(6)),
    "ledger": lambda s: f"{digits(s, 4)}-{digits(s, 4)}-{digits(s, 4)}",
}
_DIRT = ("n/a", "-", "unknown", "see file", "0", "TBD", "?")


def _soiled(maker: Maker, share: float = 0.15) -> Maker:
    def make(source: random.Random) -> str:
        if source.random() < share:
            return source.choice(_DIRT)
        cell = maker(source)
        return source.choice((cell, cell, f" {cell}", f"{cell} "))

    return make


def known_columns() -> Iterator[Column]:
    """Columns with and without a telling name, clean and with dirt; near misses under names of their own and without.

    A near miss without a name is no identifier either, although ten digits from 6 to 9 on may be called a telephone's.
    """
    for entity, maker, called in (*_TELLING, *_BY_NAME):
        yield Column(called, maker, entity)
        yield Column(f"{called}_2", _soiled(maker), entity)
    for number, (entity, maker, _) in enumerate(_TELLING):
        yield Column(f"f{2 * number}", maker, entity)
        yield Column(f"f{2 * number + 1}", _soiled(maker), entity)
    for number, (called, maker) in enumerate(_NEAR_MISSES.items()):
        yield Column(called, maker, Entity.NONE)
        yield Column(f"g{2 * number}", maker, Entity.NONE)
        yield Column(f"g{2 * number + 1}", _soiled(maker), Entity.NONE)


def cells(maker: Maker, rows: int, *, seed: int) -> list[str]:
    """A column's cells."""
    source = random.Random(seed)  # noqa: S311 - invented cells, no secret
    return [maker(source) for _ in range(rows)]
