import random
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pytest

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.classifier import Classifier
from secure_ml.protection.classify.detectors.generic.phone import is_possible_number
from secure_ml.protection.classify.finding import Finding
from secure_ml.protection.classify.text import certain_entities
from secure_ml_tests.protection.classify import people
from secure_ml_tests.protection.classify.people import column_of, digits, letters
from secure_ml_tests.protection.classify.things import MAKERS, ordinary_columns

ROWS = 1000
NOTHING = {Entity.NONE}
KEY = {Entity.NONE, Entity.RECORD_ID}


def classified(columns: Mapping[str, Sequence[object]]) -> dict[str, Finding]:
    classifier = Classifier()
    classifier.update(pa.record_batch(dict(columns)))
    return {finding.column: finding for finding in classifier.findings()}


def only(make: Callable[[random.Random], str], *, name: str, rows: int = ROWS) -> Finding:
    return classified({name: column_of(make, rows)})[name]


def test_ordinary_columns_of_no_telling_name_hold_nothing() -> None:
    columns = ordinary_columns(ROWS)
    findings = classified({f"c{index}": cells for index, cells in enumerate(columns.values())})
    called = {name: findings[f"c{index}"] for index, name in enumerate(columns)}
    assert {name: (f.entity, f.also) for name, f in called.items() if f.entity is not Entity.NONE} == {}


@pytest.mark.parametrize(
    ("name", "like", "expected"),
    [
        ("order_no", "number of 16 digits from 4", KEY),
        ("invoice_no", "number of 12 digits", KEY),
        ("product_code", "number of 10 digits", KEY),
        ("branch_city", "city", NOTHING),
        ("store_city", "city", NOTHING),
        ("shipping_city", "city", NOTHING),
        ("city_tier", "status", NOTHING),
        ("store_lat", "rate", NOTHING),
        ("long_term_rate", "rate", NOTHING),
        ("lat_ms", "rate", NOTHING),
        ("password_changed_at", "point in time", NOTHING),
        ("password_changed", "date of eight digits", NOTHING),
        ("token_count", "amount", NOTHING),
        ("passport_expiry", "date of eight digits", NOTHING),
        ("passport_issued_on", "date of eight digits", NOTHING),
        ("swift_release", "version of three", NOTHING),
        ("bic_status", "eight capitals", NOTHING),
        ("epic_id", "ticket", KEY),
        ("dl_class", "seat", NOTHING),
        ("ssn_last4_verified", "status", NOTHING),
        ("upi_amount", "amount", NOTHING),
        ("mac_os_version", "version of three", NOTHING),
        ("website_clicks", "amount", NOTHING),
        ("icd_version", "version of three", NOTHING),
        ("nhs_trust_code", "seat", NOTHING),
        ("routing_key", "path", KEY),
        ("voter_turnout", "rate", NOTHING),
    ],
)
def test_a_name_beside_the_subject_makes_nothing_of_an_ordinary_column(
    name: str, like: str, expected: set[Entity]
) -> None:
    assert only(MAKERS[like], name=name).entity in expected


@pytest.mark.parametrize(
    "text",
    [
        "session d0f1c2aa-2341-2341-2346-0242ac120002",
        "key ab12-2341-2341-2346",
        "runs on 10.0.18000.1163",
    ],
)
def test_the_middle_of_a_uuid_or_of_a_version_is_no_identifier_for_certain(text: str) -> None:
    assert certain_entities(text) == frozenset()


@pytest.mark.parametrize("first", [6, 7, 8, 9])
def test_ten_digit_codes_that_begin_as_mobile_numbers_are_codes_if_their_name_says_so(first: int) -> None:
    assert only(lambda source: f"{first}{digits(source, 9)}", name="product_code").entity is Entity.RECORD_ID


PROVEN_BY_SHAPE: dict[Entity, Callable[[random.Random], str]] = {
    Entity.AADHAAR_VIRTUAL_ID: people.aadhaar_virtual_id,
    Entity.VOTER_ID: people.voter_id,
    Entity.DRIVING_LICENCE: people.driving_licence,
    Entity.UPI_ID: people.upi_id,
    Entity.ABHA_NUMBER: people.abha_number,
    Entity.SSN: people.ssn,
    Entity.ITIN: people.itin,
    Entity.ROUTING_NUMBER: people.routing_number,
    Entity.NPI: people.npi,
    Entity.NHS_NUMBER: people.nhs_number,
    Entity.MAC_ADDRESS: people.mac_address,
    Entity.GEO_COORDINATES: people.coordinates,
    Entity.ICD_CODE: people.icd_code,
    Entity.URL: people.url,
    Entity.SECRET: people.access_key,
}


@pytest.mark.parametrize("entity", PROVEN_BY_SHAPE)
def test_what_its_shape_or_check_digit_proves_is_found_without_a_name(entity: Entity) -> None:
    finding = only(PROVEN_BY_SHAPE[entity], name="c")
    assert finding.entity is entity
    assert finding.confidence >= 0.75


@pytest.mark.parametrize("entity", PROVEN_BY_SHAPE)
def test_a_seventh_of_other_cells_does_not_hide_it(entity: Entity) -> None:
    cells = [cell if index % 7 else "unknown" for index, cell in enumerate(column_of(PROVEN_BY_SHAPE[entity], ROWS))]
    assert classified({"c": cells})["c"].entity is entity


@pytest.mark.parametrize("entity", PROVEN_BY_SHAPE)
def test_a_tenth_of_broken_cells_does_not_hide_it_under_its_name(entity: Entity) -> None:
    name = {Entity.GEO_COORDINATES: "gps", Entity.SECRET: "api_key"}.get(entity, entity.value)
    cells = [cell if index % 10 else "unknown" for index, cell in enumerate(column_of(PROVEN_BY_SHAPE[entity], ROWS))]
    finding = classified({name: cells})[name]
    assert (finding.entity, finding.context) == (entity, True)


@pytest.mark.parametrize(
    ("entity", "names", "make"),
    [
        (Entity.PASSPORT, "passport_no PassportNumber passport", lambda s: letters(s, 1) + digits(s, 7)),
        (Entity.PASSPORT, "passport_number", lambda s: "1" + digits(s, 8)),
        (Entity.MEDICAL_RECORD_NUMBER, "mrn patient_mrn uhid medical_record_number", lambda s: "MR" + digits(s, 7)),
        (Entity.PLACE, "city home_town birthplace place_of_birth district", MAKERS["city"]),
        (Entity.SWIFT_BIC, "swift_code bic SWIFT", lambda s: s.choice(("DEUTDEFF", "HDFCINBB", "BOFAUS3NXXX"))),
        (Entity.SSN, "ssn social_security_number", lambda s: people.ssn(s).replace("-", "")),
        (Entity.ITIN, "itin taxpayer_id", lambda s: people.itin(s).replace("-", "")),
        (Entity.ABHA_NUMBER, "abha_number health_id", lambda s: people.abha_number(s).replace("-", "")),
        (Entity.GEO_COORDINATES, "latitude home_long lng", lambda s: f"{s.uniform(8, 33):.6f}"),
        (Entity.DRIVING_LICENCE, "drivers_license dl_no", lambda s: letters(s, 1) + digits(s, 8)),
        (Entity.MAC_ADDRESS, "mac_address device_mac", lambda s: people.mac_address(s).replace(":", "")),
        (Entity.SECRET, "password api_key auth_token", lambda s: letters(s, 9).lower() + digits(s, 9)),
        (Entity.ICD_CODE, "icd10_code diagnosis_code dx1", lambda s: people.icd_code(s).replace(".", "")),
        (Entity.URL, "website linkedin", lambda s: f"{letters(s, 6).lower()}.example/{digits(s, 3)}"),
        (Entity.UPI_ID, "vpa upi_id", lambda s: f"{letters(s, 5).lower()}@newbank"),
        (Entity.VOTER_ID, "voter_id epic_no", lambda s: f"WB/{digits(s, 2)}/{digits(s, 3)}/{digits(s, 6)}"),
    ],
)
def test_what_only_its_name_can_tell_is_found_by_it_and_is_nothing_without(
    entity: Entity, names: str, make: Callable[[random.Random], str]
) -> None:
    for name in names.split():
        assert only(make, name=name).entity is entity, name
    assert only(make, name="c").entity is Entity.NONE


@pytest.mark.parametrize("type_", [pa.int64(), pa.float64()])
def test_a_column_of_numbers_is_judged_as_its_digits(type_: pa.DataType) -> None:
    cells = pa.array([int(number) for number in column_of(people.npi, ROWS)]).cast(type_)
    assert classified({"c": cells})["c"].entity is Entity.NPI


def test_a_key_in_name_that_holds_card_or_aadhaar_numbers_is_called_what_it_holds() -> None:
    holding = {
        "id": people.aadhaar,
        "record_key": people.card,
        "customer_no": people.pan,
        "user_id": people.upi_id,
        "ref_no": people.ssn,
        "client_ref": people.nhs_number,
    }
    findings = classified({name: column_of(make, ROWS) for name, make in holding.items()})
    assert {finding.entity for finding in findings.values()} == {
        Entity.AADHAAR, Entity.CARD, Entity.PAN, Entity.UPI_ID, Entity.SSN, Entity.NHS_NUMBER,
    }  # fmt: skip
    assert {finding.identifiability for finding in findings.values()} == {Identifiability.DIRECT}


def test_a_few_keys_of_machines_among_many_words_leave_a_trace() -> None:
    cells = [*column_of(lambda source: f"word{digits(source, 4)}", 2000), *column_of(people.access_key, 5)]
    finding = classified({"c": cells})["c"]
    assert (finding.entity, finding.category) == (Entity.SECRET, Category.PII)
    assert finding.confidence < 0.6


@pytest.mark.parametrize(
    ("prefix", "length", "begins"),
    [("INV-", 12, "123456789"), ("ORD-", 16, "4"), ("PO/", 10, "123456789")],
    ids=["invoices", "orders", "purchases"],
)
def test_numbers_behind_a_prefix_are_no_identifiers_because_some_pass_a_check_by_chance(
    prefix: str, length: int, begins: str
) -> None:
    def code(source: random.Random) -> str:
        return f"{prefix}{source.choice(begins)}{digits(source, length - 1)}"

    finding = only(code, name="c", rows=5_000)
    assert (finding.entity, dict(finding.embedded)) == (Entity.NONE, {})


def test_a_uuid_without_letters_in_its_middle_holds_no_card() -> None:
    by_chance = "2760bdeb-4047-4032-8174-801932488053"
    assert certain_entities(by_chance) == {Entity.CARD}
    finding = classified({"c": [*column_of(MAKERS["UUID"], 3_000), by_chance]})["c"]
    assert (finding.entity, dict(finding.embedded)) == (Entity.NONE, {})


def test_identifiers_behind_a_prefix_are_found_for_all_that() -> None:
    finding = only(lambda source: f"UID-{people.aadhaar(source)}", name="c")
    assert (finding.identifiability, finding.embedded[Entity.AADHAAR]) == (Identifiability.DIRECT, ROWS)


def test_some_identifiers_among_numbers_that_pass_by_chance_are_found() -> None:
    def mixed(source: random.Random) -> str:
        number = people.aadhaar(source) if source.random() < 0.1 else f"4{digits(source, 11)}"
        return f"seen beside the number {number}"

    assert only(mixed, name="c", rows=5_000).embedded[Entity.AADHAAR] > 500


@pytest.mark.parametrize(
    ("before", "first", "more", "entity"),
    [("order", "23456789", 11, Entity.AADHAAR), ("refund of", "4", 15, Entity.CARD)],
)
def test_numbers_in_sentences_are_no_identifiers_because_some_pass_a_check_by_chance(
    before: str, first: str, more: int, entity: Entity
) -> None:
    finding = only(lambda s: f"Your {before} {s.choice(first)}{digits(s, more)} was seen today", name="c", rows=5_000)
    assert finding.entity is Entity.FREE_TEXT
    assert entity not in finding.embedded


def test_a_few_sentences_that_speak_of_the_identifier_are_believed_among_many_numbers() -> None:
    def sentence(source: random.Random) -> str:
        number = f"{source.choice('23456789')}{digits(source, 11)}"
        return f"Your order {number} was seen today"

    cells = [*column_of(sentence, 2_000), *column_of(lambda s: f"she showed Aadhaar {people.aadhaar(s)} to us", 3)]
    finding = classified({"c": cells})["c"]
    assert finding.embedded[Entity.AADHAAR] == 3
    assert finding.identifiability is Identifiability.DIRECT


def test_ten_digits_are_telephones_where_the_numbering_plan_has_them_all() -> None:
    def bare(source: random.Random) -> str:
        while True:
            number = source.choice("6789") + digits(source, 9)
            if is_possible_number(number):
                return number

    finding = only(bare, name="c")
    assert (finding.entity, finding.validated) == (Entity.PHONE, ROWS)
    assert classified({"c": column_of(bare, 12)})["c"].entity is Entity.PHONE
    assert only(lambda s: s.choice("6789") + digits(s, 9), name="ph_no").entity is Entity.PHONE


def test_telephones_of_one_house_are_found_by_the_signs_in_them() -> None:
    assert only(lambda s: f"+91 98765 43{s.randint(0, 999):03d}", name="c").entity is Entity.PHONE


@pytest.mark.parametrize("name", ["plan_name", "course_name", "vendorName", "TEAM_NAME", "table name", "name_match"])
def test_what_has_a_name_beside_people_holds_no_names_of_people(name: str) -> None:
    things = ("Basic Plan", "Algebra Two", "North Wing", "Alpha Team", "Sunrise")
    assert only(lambda s: s.choice(things), name=name).entity in NOTHING


@pytest.mark.parametrize("name", ["vendor_name", "party_name", "c"])
def test_names_of_people_are_found_under_the_name_of_a_thing(name: str) -> None:
    assert only(lambda s: f"{s.choice(('Asha', 'Ravi', 'Meera'))} {s.choice(('Rao', 'Sharma'))}", name=name).entity is (
        Entity.PERSON_NAME
    )


def test_three_people_are_enough_where_the_table_has_no_more() -> None:
    assert classified({"c": ["Asha Rao", "Ravi Sharma", "Meera Iyer"]})["c"].entity is Entity.PERSON_NAME


@pytest.mark.parametrize("name", ["product_code", "order_ref", "sku", "txn_no"])
def test_ten_digits_that_repeat_are_no_telephone_numbers_under_the_name_of_a_thing(name: str) -> None:
    finding = only(lambda source: f"98{source.randint(0, 300):08d}", name=name)
    assert finding.entity in KEY
    assert Entity.PHONE not in finding.also
