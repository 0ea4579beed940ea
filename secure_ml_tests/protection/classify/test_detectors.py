import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.detectors import standard_detectors
from secure_ml.protection.classify.pattern_detector import PatternDetector
from secure_ml_tests.protection.classify.people import aadhaar

BY_ENTITY = {detector.entity: detector for detector in standard_detectors()}

POSITIVES = {
    Entity.AADHAAR: ("234123412346", "2341 2341 2346", "2341-2341-2346", "2341.2341.2346"),
    Entity.PAN: ("ABCPE1234F", "abcpe1234f", "AAACB1234C", "ABCPE 1234 F"),
    Entity.GSTIN: ("27AAPFU0939F1ZV", "29AAGCB7383J1Z4"),
    Entity.IFSC: ("HDFC0001234", "SBIN0ABCDEF", "icic0000001"),
    Entity.ACCOUNT_NUMBER: ("123456789", "50100012345678", "0012-3456-7890", "123456789012345678"),
    Entity.CARD: ("4111111111111111", "5500-0000-0000-0004", "3400 000000 00009", "6011 0000 0000 0004"),
    Entity.IBAN: ("GB82WEST12345698765432", "DE89 3704 0044 0532 0130 00", "gb82 west 1234 5698 7654 32"),
    Entity.EMAIL: ("ravi.k+loan@mail.example.in", "R@x.co", "नाम@उदाहरण.भारत", "ravi@okhdfcbank"),
    Entity.PHONE: (
        "+91-98765 43210",
        "098765 43210",
        "9876543210",
        "919876543210",
        "(+91) 98765-43210",
        "+91 987 654 3210",
        "022-27700000",
        "+44 20 7946 0958",
        "+14155552671",
        "(415) 555-2671",
    ),
    Entity.VEHICLE_NUMBER: ("MH12AB1234", "ka 05 mb 0001", "DL-3C-AB-1234"),
    Entity.IP_ADDRESS: ("10.1.2.3", "2001:db8::ff00:42:8329"),
    Entity.PERSON_NAME: ("Ravi Kumar", "SHARMA, PRIYA", "Smt. Zuleikha Tendon", "Mary-Jane O'Brien Wilson"),
    Entity.POSTAL_ADDRESS: ("Flat 12, Laxmi Nagar, Pune", "221B Baker Street", "No. 4, 2nd Cross\nJP Layout, 560078"),
    Entity.DATE_OF_BIRTH: (
        "1990-05-12",
        "12/05/1990",
        "12-05-90",
        "12 May 1990",
        "19900512",
        "1990",
        "1990-05-12 00:00:00",
    ),
    Entity.PIN_CODE: ("411001", "411 001", "94103-1234", "SW1A 1AA"),
    Entity.GENDER: ("Male", "female", "Transgender", "non-binary"),
    Entity.RELIGION: ("Hindu", "MUSLIM", "Jain", "Buddhist"),
    Entity.ETHNICITY: ("Hispanic", "Scheduled Caste", "OBC", "Asian-Pac-Islander"),
    Entity.INCOME: ("450000", "4,50,000.50", "₹ 12 LPA", "5-10 lakhs", "<=50K", "Rs. 4500/-"),
    Entity.HEALTH: ("Type 2 diabetes", "E11.9", "history of asthma"),
    Entity.EMPLOYER: ("Tata Motors Ltd", "3M India"),
    Entity.FREE_TEXT: ("the papers were seen and found good",),
    Entity.SUBJECT_ID: ("CUST-000123", "9911"),
    Entity.RECORD_ID: ("LN-2024-77", "1"),
}

NEAR_MISSES = {
    Entity.AADHAAR: ("234123412345", "134123412346", "23412341234", "2341234123467", "0", "1", "true", "742"),
    Entity.PAN: ("ABCXE1234F", "ABCPE0000F", "ABCP1234F", "ABCPE12345"),
    Entity.GSTIN: ("27AAPFU0939F1ZW", "99AAPFU0939F1ZV", "27AAPFU0939F1YV"),
    Entity.IFSC: ("HDFC1001234", "HDF00001234", "HDFC000123"),
    Entity.ACCOUNT_NUMBER: ("12345678", "1234567890123456789", "742", "0", "12345678.5"),
    Entity.CARD: ("4111111111111112", "9111111111111111", "411111111111"),
    Entity.IBAN: ("GB82WEST12345698765431", "GB82", "XX00ABCD12345678"),
    Entity.EMAIL: ("ravi at mail.in", "@handle", "ravi@", "a@b", "1@2.3"),
    Entity.PHONE: ("1234567890", "1717000000", "98765", "+1", "742", "2024-05-12", "0000000000"),
    Entity.VEHICLE_NUMBER: ("MH99AB1234", "ZZ12AB1234", "KA05MB0000", "MH12AB123", "HDFC0001234"),
    Entity.IP_ADDRESS: ("10.1.2.300", "12:34:56", "10.0.19041", "::"),
    Entity.PERSON_NAME: ("Home Loan", "ABC-123", "one two three four five six", "Ravi7"),
    Entity.POSTAL_ADDRESS: ("Pune", "ravi@mail.example.in", "mean area", "Gold Loan"),
    Entity.DATE_OF_BIRTH: ("742", "12/1990/05", "soon", "99999999"),
    Entity.PIN_CODE: ("011001", "4110011", "4110"),
    Entity.GENDER: ("malefactor", "benign", "7"),
    Entity.RELIGION: ("Pune", "7"),
    Entity.ETHNICITY: ("white", "black", "blue"),
    Entity.INCOME: ("plenty", "12.5.7", "A450000"),
    Entity.HEALTH: ("cancelled", "stroked cat", "A12"),
    Entity.EMPLOYER: ("12345", "a@b.c"),
    Entity.FREE_TEXT: ("Home Loan", "one two three four"),
    Entity.SUBJECT_ID: ("two words", ""),
    Entity.RECORD_ID: ("two words",),
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
