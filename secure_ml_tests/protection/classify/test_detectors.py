import base64
import importlib
import json
import random
import string
from collections.abc import Callable
from string import ascii_uppercase

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.detectors import standard_detectors
from secure_ml.protection.classify.pattern_detector import PatternDetector
from secure_ml_tests.protection.classify.people import (
    aadhaar,
    aadhaar_virtual_id,
    access_key,
    column_of,
    digits,
    letters,
    nhs_number,
    npi,
    people,
    routing_number,
    voter_id,
)
from secure_ml_tests.protection.classify.things import ordinary_columns

BY_ENTITY = {detector.entity: detector for detector in standard_detectors()}


def encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def gstin_of(state: str) -> str:
    body = f"{state}AAPFU0939F1Z"
    return body + luhn.calc_check_digit(body, string.digits + ascii_uppercase)


def other_last_digit(number: str) -> str:
    return number[:-1] + str((int(number[-1]) + 1) % 10)


POSITIVES = {
    Entity.AADHAAR: ("234123412346", "2341 2341 2346", "2341-2341-2346", "2341.2341.2346"),
    Entity.PAN: ("ABCPE1234F", "abcpe1234f", "AAACB1234C", "ABCPE 1234 F"),
    Entity.GSTIN: ("27AAPFU0939F1ZV", "29AAGCB7383J1Z4", gstin_of("38"), gstin_of("97")),
    Entity.IFSC: ("HDFC0001234", "SBIN0ABCDEF", "icic0000001", "ZSMX0000001"),
    Entity.ACCOUNT_NUMBER: ("123456789", "50100012345678", "0012-3456-7890", "123456789012345678"),
    Entity.CARD: (
        "4111111111111111",
        "5500-0000-0000-0004",
        "3400 000000 00009",
        "6011 0000 0000 0004",
        "2200700000000009",
        "8171999927660000",
        "9792000000000003",
        "213100000000001",
    ),
    Entity.IBAN: ("GB82WEST12345698765432", "DE89 3704 0044 0532 0130 00", "gb82 west 1234 5698 7654 32"),
    Entity.EMAIL: ("ravi.k+loan@mail.example.in", "R@x.co", "नाम@उदाहरण.भारत"),
    Entity.PHONE: (
        "+91-98765 43210",
        "098765 43210",
        "98765-43210",
        "987-654-3210",
        "98 76 54 32 10",
        "+91 9876 543210",
        "9876543210",
        "7305012345",
        "919876543210",
        "(+91) 98765-43210",
        "+91 987 654 3210",
        "022-27700000",
        "+44 20 7946 0958",
        "+14155552671",
        "(415) 555-2671",
        "(415)555-2671",
        "415.555.2671 x91",
        "+1-415-555-2671 ext. 7",
        "+49 (0)30 901820",
        "0061 2 9374 4000",
        "+971 50 123 4567",
    ),
    Entity.VEHICLE_NUMBER: (
        "MH12AB1234",
        "ka 05 mb 0001",
        "DL-3C-AB-1234",
        "AP 09 CA 0123",
        "22BH1234AA",
        "23 BH 0001 K",
        "UA07A1234",
    ),
    Entity.IP_ADDRESS: (
        "10.1.2.3",
        "2001:db8::ff00:42:8329",
        "192.168.1.20:8443",
        "203.0.113.0/24",
        "::ffff:203.0.113.9",
        "fe80::1%eth0",
        "3.108.22.141",
        "54.239.1.2",
    ),
    Entity.PERSON_NAME: ("Ravi Kumar", "SHARMA, PRIYA", "Smt. Zuleikha Tendon", "Mary-Jane O'Brien Wilson"),
    Entity.POSTAL_ADDRESS: (
        "Flat 12, Laxmi Nagar, Pune",
        "221B Baker Street",
        "12 Oak Drive",
        "17 Jones Light\nHolly\nS6 7LJ",
        "Gartenstrasse 47\n06690 Gera",
        "At post village Nandgaon, Dist Nashik",
        "No. 4, 2nd Cross\nJP Layout, 560078",
    ),
    Entity.DATE_OF_BIRTH: (
        "1990-05-12",
        "12/05/1990",
        "12-05-90",
        "12 May 1990",
        "19900512",
        "1990",
        "1990-05-12 00:00:00",
        "12051990",
        "05/1990",
        "12-May-90",
        "May 12, 1990",
    ),
    Entity.PIN_CODE: ("411001", "411 001", "94103-1234", "SW1A 1AA"),
    Entity.GENDER: ("Male", "female", "Transgender", "non-binary"),
    Entity.RELIGION: ("Hindu", "MUSLIM", "Jain", "Buddhist"),
    Entity.ETHNICITY: ("Hispanic", "Scheduled Caste", "OBC", "Asian-Pac-Islander"),
    Entity.INCOME: ("450000", "4,50,000.50", "₹ 12 LPA", "5-10 lakhs", "<=50K", "Rs. 4500/-"),
    Entity.HEALTH: ("Type 2 diabetes", "history of asthma"),
    Entity.EMPLOYER: ("Tata Motors Ltd", "3M India"),
    Entity.FREE_TEXT: ("the papers were seen and found good",),
    Entity.SUBJECT_ID: ("CUST-000123", "9911"),
    Entity.RECORD_ID: ("LN-2024-77", "1"),
    Entity.URL: (
        "https://profiles.example/ravi",
        "HTTP://x.example",
        "www.profiles.example/u?id=7",
        "ftp://files.example/a",
    ),
    Entity.MAC_ADDRESS: ("00:1b:44:11:3a:b7", "00-1B-44-11-3A-B7", "001b.4411.3ab7"),
    Entity.SECRET: (
        access_key(random.Random(1)),
        "ghp_" + "a1B2" * 9,
        "xoxb-" + "1234567890-abcdef",
        "AIza" + "Sy-_0" * 7,
        f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded({'sub': 'x'})}.c2ln",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n",
        "-----BEGIN PRIVATE KEY-----",
    ),
    Entity.GEO_COORDINATES: ("12.97160, 77.59460", "-33.8688,151.2093", "(48.8584;2.2945)"),
    Entity.PASSPORT: (
        "A1234567",
        "Z1 234567",
        "123456789",
        "C01X00T47",
        "12AB34567",
        "AAA123456",
        "YA1234567",
        "SPECI2014",
    ),
    Entity.DRIVING_LICENCE: ("MH12 20110012345", "DL-0420190012345", "KA03/2015/0001234", "MORGA657054SM9IJ"),
    Entity.PLACE: ("Pune", "New Delhi", "Saint-Étienne", "St. John's", "बेंगलुरु"),
    Entity.AADHAAR_VIRTUAL_ID: ("2341234123412341", aadhaar_virtual_id(random.Random(1))),
    Entity.VOTER_ID: (voter_id(random.Random(1)), voter_id(random.Random(2)).lower()),
    Entity.UPI_ID: ("ravi@okhdfcbank", "9876543210@ybl", "Ravi.K-1@paytm", "ravi@axl", "ravi@yesfam", "ravi@kphdfc"),
    Entity.ABHA_NUMBER: ("91-1234-5678-9012", "ravi.k@abdm", "91123456789012@sbx"),
    Entity.SWIFT_BIC: ("DEUTDEFF", "hdfcinbb", "BOFAUS3NXXX"),
    Entity.SSN: ("123-45-6789", "665-01-0001"),
    Entity.ITIN: ("912-70-1234", "999 88 0001", "900-50-1234"),
    Entity.ROUTING_NUMBER: ("021000021", "111000025", routing_number(random.Random(1))),
    Entity.NPI: ("1234567893", npi(random.Random(1))),
    Entity.MEDICAL_RECORD_NUMBER: ("MRN-0012345", "00123456", "H/2019/00123"),
    Entity.ICD_CODE: (
        "E11.9",
        "I10",
        "S72.001A",
        "O9A.211",
        "E11.9 - Type 2 diabetes",
        "U07.1",
        "D3A.0",
        "J4A.0",
        "Z25.1",
    ),
    Entity.NHS_NUMBER: ("943 476 5919", nhs_number(random.Random(1))),
}

NEAR_MISSES = {
    Entity.AADHAAR: (
        "846869968648",
        "234123412345",
        "134123412346",
        "23412341234",
        "2341234123467",
        "0",
        "1",
        "true",
        "742",
    ),
    Entity.PAN: ("ABCXE1234F", "ABCPE0000F", "ABCP1234F", "ABCPE12345"),
    Entity.GSTIN: ("27AAPFU0939F1ZW", "99AAPFU0939F1ZV", "27AAPFU0939F1YV", gstin_of("39"), gstin_of("00")),
    Entity.IFSC: ("HDFC1001234", "HDF00001234", "HDFC000123", "QQQQ0001234"),
    Entity.ACCOUNT_NUMBER: ("12345678", "1234567890123456789", "742", "0", "12345678.5"),
    Entity.CARD: ("4111111111111112", "9111111111111111", "411111111111", "8911111111111112"),
    Entity.IBAN: ("GB82WEST12345698765431", "GB82", "XX00ABCD12345678"),
    Entity.EMAIL: ("ravi at mail.in", "@handle", "ravi@", "a@b", "1@2.3", "ravi@okhdfcbank"),
    Entity.PHONE: (
        "1234567890",
        "1717000000",
        "98765",
        "+1",
        "742",
        "2024-05-12",
        "0000000000",
        "1234-567-890",
        "99.0.5000.123",
        "9-876-5432-10",
        "8665555555",
        "+999 1234567",
    ),
    Entity.VEHICLE_NUMBER: (
        "MH99AB1234",
        "ZZ12AB1234",
        "KA05MB0000",
        "MH12AB123",
        "HDFC0001234",
        "19BH1234AA",
        "22BH1234IO",
    ),
    Entity.IP_ADDRESS: (
        "10.1.2.300",
        "12:34:56",
        "10.0.19041",
        "::",
        "3.11.4.0",
        "1.3.6.1",
        "add::bad",
        "10.0.19041.388",
        "14.15.83.28",
        "8.8.8.8",
    ),
    Entity.PERSON_NAME: ("Home Loan", "ABC-123", "one two three four five six", "Ravi7"),
    Entity.POSTAL_ADDRESS: (
        "Pune",
        "ravi@mail.example.in",
        "mean area",
        "Gold Loan",
        "Phase 3 trial",
        "Block C, Floor 6",
        "cross sell 2",
    ),
    Entity.DATE_OF_BIRTH: ("742", "12/1990/05", "soon", "99999999", "32131990"),
    Entity.PIN_CODE: ("011001", "4110011", "4110"),
    Entity.GENDER: ("malefactor", "benign", "7"),
    Entity.RELIGION: ("Pune", "7"),
    Entity.ETHNICITY: ("white", "black", "blue"),
    Entity.INCOME: ("plenty", "12.5.7", "A450000"),
    Entity.HEALTH: ("cancelled", "stroked cat", "A12", "E11.9", "Model A12.3"),
    Entity.EMPLOYER: ("12345", "a@b.c"),
    Entity.FREE_TEXT: ("Home Loan", "one two three four"),
    Entity.SUBJECT_ID: ("two words", ""),
    Entity.RECORD_ID: ("two words",),
    Entity.URL: ("example.com", "http://", "http:///path.html", "www.", "report.pdf", "node1.internal", "1.2.3"),
    Entity.MAC_ADDRESS: (
        "00:1b:44:11:3a",
        "001b44113ab7",
        "20-11-24-10-30-59",
        "1234.5678.9012",
        "#aabbcc",
        "ff:ff:ff:ff:ff:ff",
    ),
    Entity.SECRET: (
        "AKIA" + "1" * 16,
        "ghp_short",
        "d41d8cd98f00b204e9800998ecf8427e",
        "eyJub3Qgb2YganNvbiI.eyJ4.c2ln",
        f"{encoded({'typ': 'x'})}.{encoded({})}.c2ln",
        f"{encoded(['a', 'list'])}.{encoded({})}.c2ln",
        "-----BEGIN PUBLIC KEY-----",
        "correct-horse-battery",
    ),
    Entity.GEO_COORDINATES: (
        "12.97, 77.59",
        "12.971,77.594",
        "95.12345, 77.12345",
        "12.34567, 181.23456",
        "0.12345, 2.34567",
        "-1.123456,0.654321",
        "12.97160",
        "1,2",
    ),
    Entity.PASSPORT: ("1234567", "A123456789", "passport", "A-1234567"),
    Entity.DRIVING_LICENCE: ("ZZ12 20110012345", "MH12 18110012345", "MH12 2011001234", "MORGA697054SM9IJ", "D1234567"),
    Entity.PLACE: ("411001", "ravi@mail.example.in", "B12"),
    Entity.AADHAAR_VIRTUAL_ID: ("2341234123412342", "1341234123412341", "234123412346", "3516204664026153"),
    Entity.VOTER_ID: (other_last_digit(voter_id(random.Random(1))), "AB1234567", "ABCD123456", "WB/01/001/123456"),
    Entity.UPI_ID: ("ravi@mail.example.in", "@ybl", "ravi@", "user@host", "root@db", "ravi@ybl.com", "a b@ybl"),
    Entity.ABHA_NUMBER: (
        "91123456789012",
        "91-1234-5678-901",
        "01-1234-5678-9012",
        "ravi@abdm.in",
        "1234-5678-9012-34",
    ),
    Entity.SWIFT_BIC: ("DEUTXXFF", "DEUTDEF", "TRANSFER", "HDFC0001234", "DEUTDEFF1"),
    Entity.SSN: (
        "000-45-6789",
        "666-45-6789",
        "912-45-6789",
        "123-00-6789",
        "123-45-0000",
        "123456789",
        "123-456-789",
        "665 01 0001",
    ),
    Entity.ITIN: ("912-45-1234", "912-93-1234", "812-70-1234", "912701234"),
    Entity.ROUTING_NUMBER: ("021000022", "131000029", "02100002"),
    Entity.NPI: ("1234567894", "3234567893", "1111111112", "123456789"),
    Entity.MEDICAL_RECORD_NUMBER: ("M12", "two words", "12.5"),
    Entity.ICD_CODE: ("A12", "A11.1", "V10.2", "B30", "E1.9", "1.5", "e11.9", "M10", "D85.1", "K24.3"),
    Entity.NHS_NUMBER: ("943 476 5918", "0306406152", "94347659190"),
}


def holds(detector: PatternDetector, value: str) -> bool:
    shaped = detector.matches(pa.array([value], type=pa.large_string()))[0].as_py()
    return bool(shaped) and detector.validate(value)


@pytest.mark.parametrize(("entity", "value"), [(e, v) for e, values in POSITIVES.items() for v in values])
def test_a_detector_accepts_its_entity_as_people_write_it(entity: Entity, value: str) -> None:
    assert holds(BY_ENTITY[entity], value)


@pytest.mark.parametrize(("entity", "value"), [(e, v) for e, values in NEAR_MISSES.items() for v in values])
def test_a_detector_refuses_what_only_resembles_its_entity(entity: Entity, value: str) -> None:
    assert not holds(BY_ENTITY[entity], value)


def test_every_detector_has_positives_and_near_misses() -> None:
    assert set(POSITIVES) == set(NEAR_MISSES) == set(BY_ENTITY) == set(Entity) - {Entity.NONE}


@given(st.integers(0, 2**32), st.integers(0, 11), st.integers(1, 9))
def test_one_wrong_digit_of_an_aadhaar_number_is_always_noticed(seed: int, position: int, shift: int) -> None:
    number = aadhaar(random.Random(seed))
    wrong = number[:position] + str((int(number[position]) + shift) % 10) + number[position + 1 :]
    assert holds(BY_ENTITY[Entity.AADHAAR], number)
    assert not holds(BY_ENTITY[Entity.AADHAAR], wrong)


@pytest.mark.parametrize(
    ("entities", "category", "identifiability"),
    [
        (
            "person_name email phone postal_address aadhaar pan ip_address vehicle_number",
            Category.PII,
            Identifiability.DIRECT,
        ),
        ("account_number card iban", Category.FINANCIAL, Identifiability.DIRECT),
        ("ifsc gstin income", Category.FINANCIAL, Identifiability.QUASI),
        ("date_of_birth pin_code gender religion ethnicity employer", Category.PII, Identifiability.QUASI),
        ("health", Category.HEALTH, Identifiability.QUASI),
    ],
)
def test_each_entity_has_its_category_and_identifiability(
    entities: str, category: Category, identifiability: Identifiability
) -> None:
    for entity in entities.split():
        detector = BY_ENTITY[Entity(entity)]
        assert (detector.category, detector.identifiability) == (category, identifiability)


def test_a_column_without_an_at_sign_is_not_of_an_e_mails_shape_and_one_with_it_is_held_against_the_pattern() -> None:
    values = pa.array(["zorblax", "zorblax@invented.example", "@", "three words here"], pa.large_string())

    assert BY_ENTITY[Entity.EMAIL].matches(values).to_pylist() == [False, True, False, False]
    assert BY_ENTITY[Entity.EMAIL].matches(values.slice(0, 1)).to_pylist() == [False]
    assert BY_ENTITY[Entity.EMAIL].matches(values.slice(0, 0)).to_pylist() == []


MANY = (
    *(value for values in (*POSITIVES.values(), *NEAR_MISSES.values()) for value in values),
    *(value for cells in ordinary_columns(40).values() for value in cells[:40]),
    *(str(value) for person in people(30).to_pylist() for value in person.values()),
)


@pytest.mark.parametrize("detector", BY_ENTITY.values(), ids=BY_ENTITY)
def test_a_column_is_checked_as_its_values_are_one_by_one(detector: PatternDetector) -> None:
    values = pa.array([*MANY, *(f"{value}\u00e9" for value in MANY)], type=pa.large_string())
    shaped = values.filter(detector.matches(values))
    assert detector.validate_all(shaped).tolist() == [detector.validate(value) for value in shaped.to_pylist()]
    assert detector.validate_all(shaped.slice(0, 0)).tolist() == []


def test_the_countries_of_a_bic_are_those_of_the_standard() -> None:
    from stdnum import bic

    codes = [f"ABCD{first}{second}2X" for first in ascii_uppercase for second in ascii_uppercase]
    shaped = BY_ENTITY[Entity.SWIFT_BIC].matches(pa.array(codes, type=pa.large_string())).to_pylist()
    assert shaped == [bic.is_valid(code) for code in codes]


@pytest.mark.parametrize(
    ("entity", "standard", "make"),
    [
        (Entity.SSN, "stdnum.us.ssn", lambda s: f"{digits(s, 3)}-{digits(s, 2)}-{s.choice(('0000', digits(s, 4)))}"),
        (Entity.PAN, "stdnum.in_.pan", lambda s: letters(s, 5) + s.choice(("0000", digits(s, 4))) + letters(s, 1)),
        (Entity.VOTER_ID, "stdnum.in_.epic", lambda s: letters(s, 3) + digits(s, 7)),
        (Entity.AADHAAR_VIRTUAL_ID, "stdnum.in_.vid", lambda s: digits(s, 16)),
        (Entity.NHS_NUMBER, "stdnum.gb.nhs", lambda s: s.choice("34679") + digits(s, 9)),
        (Entity.CARD, "stdnum.luhn", lambda s: "4" + digits(s, 15)),
    ],
)
def test_shape_and_check_agree_with_the_standard_library_of_numbers(
    entity: Entity, standard: str, make: Callable[[random.Random], str]
) -> None:
    reference, numbers = importlib.import_module(standard), column_of(make, 2000)
    assert [holds(BY_ENTITY[entity], number) for number in numbers] == [reference.is_valid(n) for n in numbers]


def test_a_district_that_presidio_knows_is_known() -> None:
    from presidio_analyzer.predefined_recognizers import InVehicleRegistrationRecognizer

    known = InVehicleRegistrationRecognizer.state_rto_district_map
    plates = [f"{state}{office}AB1234" for state, offices in known.items() for office in offices]
    assert [plate for plate in plates if not holds(BY_ENTITY[Entity.VEHICLE_NUMBER], plate)] == []
