"""Inspection: what it must find, and what it must not mistake."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.mask.inspection import Inspection, inspect
from secure_ml.protection.mask.keep import Keep
from secure_ml.protection.mask.masking import Masking
from secure_ml.protection.mask.plan import Plan
from secure_ml.protection.mask.residual import residual_identifiers
from secure_ml.protection.mask.treatment import ColumnTreatment, Treated
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.labels import PUBLIC, Label
from secure_ml_tests.protection.mask.tables import COLUMNS, ROWS, column, key_for, policy, raw


def masked() -> Dataset:
    return Masking(policy(), key_for=key_for).apply(raw())


class Identity(ColumnTreatment):
    """Has the type of a treatment's output and passes every cell through."""

    output_type, beside = pa.null(), ()

    def __init__(self, real: Any) -> None:
        self.output_type, self.beside = real.output_type, real.beside
        self._reader = real.reader

    def apply(self, values: pa.Array, *beside: pa.Array) -> Treated:
        if self.output_type == pa.string():
            return Treated(self._reader.text(values), 0)
        return Treated(self._reader.parsed(values).values.cast(self.output_type, safe=False), 0)


def masked_with(name: str, replacement: Callable[[Any], ColumnTreatment]) -> Dataset:
    masking = Masking(policy(), key_for=key_for)
    treatments = dict(masking._plan.treatments)
    treatments[name] = replacement(treatments[name])
    masking._plan = Plan(treatments)
    return masking.apply(raw())


def failed(inspection: Inspection) -> set[str]:
    return {question for question, passed in inspection.questions.items() if not passed}


def test_a_masked_table_passes() -> None:
    inspection = inspect(masked(), policy())
    assert inspection.passed
    assert inspection.rows == 3
    assert not failed(inspection)


@pytest.mark.parametrize("name", ["customer", "email", "phone", "aadhaar", "account", "applied", "pin", "income"])
def test_a_treatment_replaced_by_identity_is_found_in_the_cells(name: str) -> None:
    inspection = inspect(masked_with(name, Identity), policy())
    assert "treatments" in failed(inspection)
    assert set(inspection.untreated) == {name}
    assert not inspection.passed


def test_a_remark_that_was_not_scrubbed_is_found() -> None:
    inspection = inspect(masked_with("remark", Identity), policy())
    assert inspection.residual == {"remark": {Entity.PHONE: 1, Entity.AADHAAR: 1, Entity.EMAIL: 1}}


@pytest.mark.parametrize("name", ["email", "phone", "aadhaar", "account"])
def test_a_column_kept_in_place_of_its_treatment_shows_in_its_label(name: str) -> None:
    inspection = inspect(masked_with(name, lambda real: Keep(real.reader)), policy())
    assert inspection.over_identifiable == (name,)
    assert {"labels", "treatments"} <= failed(inspection)


def test_a_dropped_column_that_is_there_is_surplus() -> None:
    declared = policy({**COLUMNS, "name": column(entity="person_name", level="quasi")})
    wider = Masking(declared, key_for=key_for).apply(raw(declared=declared))
    inspection = inspect(wider, policy())
    assert inspection.surplus == ("name",)
    assert failed(inspection) == {"minimisation"}


def test_identifiers_are_found_in_a_surplus_column_too() -> None:
    declared = policy({**COLUMNS, "pan": column(entity="pan", level="quasi")})
    inspection = inspect(Masking(declared, key_for=key_for).apply(raw(declared=declared)), policy())
    assert inspection.residual == {"pan": {Entity.PAN: 2}}


def test_an_absent_column_is_named() -> None:
    inspection = inspect(masked().select([n for n in masked().schema.names if n != "pin"]), policy())
    assert inspection.absent == ("pin",)
    assert failed(inspection) == {"minimisation"}


def test_a_column_of_another_type_is_named() -> None:
    declared = policy({**COLUMNS, "score": column("number", use=COLUMNS["score"]["use"], category="financial")})
    inspection = inspect(Masking(declared, key_for=key_for).apply(raw(declared=declared)), policy())
    assert inspection.wrong_type == ("score",)
    assert failed(inspection) == {"minimisation"}


@pytest.mark.parametrize("label", [PUBLIC, Label(frozenset({Category.HEALTH}), Entity.NONE, Identifiability.QUASI)])
def test_a_label_that_claims_too_little_is_named(label: Label) -> None:
    dataset = masked()
    lowered = dataclasses.replace(dataset, labels={**dataset.labels, "phone": label})
    assert inspect(lowered, policy()).under_labelled == ("phone",)


def test_an_identifier_in_a_kept_column_is_counted() -> None:
    rows = [
        {**ROWS[0], "employer": text} for text in ("Orchid Mills", "self, 98765 43210", "ask asha@mail.example", "")
    ]
    inspection = inspect(Masking(policy(), key_for=key_for).apply(raw(rows)), policy())
    assert inspection.residual == {"employer": {Entity.PHONE: 1, Entity.EMAIL: 1}}
    assert failed(inspection) == {"residual_identifiers"}


def test_an_overridden_finding_counts_for_nothing_in_its_own_kept_column_only() -> None:
    override = {"entity": "phone", "reason": "numbers of machines, ten digits long"}
    columns = {**COLUMNS, "employer": {**COLUMNS["employer"], "override": override}}
    rows = [{**ROWS[0], "employer": text} for text in ("9876543210", "ask asha@mail.example")]
    overriding = policy(columns)
    inspection = inspect(Masking(overriding, key_for=key_for).apply(raw(rows)), overriding)
    assert inspection.residual == {"employer": {Entity.EMAIL: 1}}


def test_an_override_of_a_scrubbed_text_hides_nothing_that_was_left_in_it() -> None:
    override = {"entity": "phone", "reason": "numbers of machines, ten digits long"}
    overriding = policy({**COLUMNS, "remark": {**COLUMNS["remark"], "override": override}})
    assert Entity.PHONE in inspect(masked_with("remark", Identity), overriding).residual["remark"]


def test_no_cell_stands_in_an_inspection() -> None:
    shown = repr(inspect(masked_with("remark", Identity), policy()))
    cells = {cell.strip() for row in ROWS for cell in row.values() if cell and len(cell.strip()) >= 5}
    assert not any(cell in shown for cell in cells - set(COLUMNS))


def residual(cells: list[str | None], *, whole_accounts: bool = False, masked: bool = False) -> dict[Entity, int]:
    return dict(residual_identifiers(pa.array(cells, pa.string()), whole_accounts=whole_accounts, masked=masked))


@pytest.mark.parametrize(
    ("cell", "entity"),
    [
        ("2341 2341 2346", Entity.AADHAAR), ("२३४१ २३४१ २३४६", Entity.AADHAAR), ("id abcpe1234f.", Entity.PAN),
        ("ABCPE 1234 F", Entity.PAN), ("asha@mail.example", Entity.EMAIL), ("98765 43210", Entity.PHONE),
        ("(+91) 98765-43210", Entity.PHONE), ("4111 1111 1111 1111", Entity.CARD),
        ("GB82 WEST 1234 5698 7654 32", Entity.IBAN), ("account no 001234567890", Entity.ACCOUNT_NUMBER),
    ],
)  # fmt: skip
def test_residual_identifiers_are_counted_by_kind(cell: str, entity: Entity) -> None:
    assert residual([cell, None, "fine", cell])[entity] == 2


def test_a_bare_account_number_is_one_only_where_the_policy_says_so() -> None:
    assert residual(["001234567890"], whole_accounts=True) == {Entity.ACCOUNT_NUMBER: 1}
    assert residual(["001234567890"]) == {}


def test_masked_forms_and_words_are_no_identifiers() -> None:
    assert residual(["****@****.*******", "**** **** 2346", "*****3210"], whole_accounts=True, masked=True) == {}
    assert residual(["Orchid Mills", "2024-03", "577", "<PHONE>", "[REDACTED]", None, ""]) == {}


def test_tokens_are_never_taken_for_identifiers() -> None:
    plan = Masking(policy(), key_for=key_for)._plan
    tokens = plan.treatments["aadhaar"].apply(pa.array([str(n) for n in range(100_000)])).values
    assert residual_identifiers(tokens, whole_accounts=True, masked=False) == {}


def column_found(made: list[str | None], kind: str, entity: str) -> dict[str, dict[Entity, int]]:
    """What an inspection finds residual in a column of ciphertexts, with other cells beside them."""
    declared = policy({**COLUMNS, "number": column(treatment=kind, entity=entity, level="direct")})
    masked_rows = Masking(declared, key_for=key_for).apply(raw(declared=declared)).read().combine_chunks()
    table = masked_rows.slice(0, 0).to_pylist() + [{"number": cell} for cell in made]
    batch = pa.RecordBatch.from_pylist(table, schema=masked_rows.schema)
    labels = Masking(declared, key_for=key_for).apply(raw(declared=declared)).labels
    found = inspect(from_batches([batch], schema=batch.schema, labels=labels), declared)
    return {name: dict(entities) for name, entities in found.residual.items()}


@pytest.mark.parametrize("entity", ["account_number", "phone", "pan", "aadhaar", "record_id"])
def test_a_ciphertext_that_looks_like_an_identifier_is_none(entity: str) -> None:
    # Numbers as random as ciphertexts; among five hundred some are valid Aadhaar and telephone numbers by chance.
    numbers = [f"{n * 7_919_567_891 % 10**12:012}" for n in range(1, 250)]
    numbers += [f"{n * 7_919_567_891 % 10**10:010}" for n in range(1, 250)]
    assert column_found([*numbers, "ABCPE1234F", None, "[REDACTED]"], "format_preserving", entity) == {}


@pytest.mark.parametrize(
    ("entity", "form"),
    [
        ("record_id", "QX_{:012}"), ("record_id", "BATCH:{:010}:v2"), ("none", "seen by {:010} at the gate"),
        ("medical_record_number", "QU#{:012}"), ("abha_number", "kolam.{:010}@bqz"), ("geo_coordinates", "41.{:010};7"),
        ("ip_address", "7C::{:010}::1"), ("secret", "kq_{:012}_{:010}"),
    ],
)  # fmt: skip
def test_no_ciphertext_is_an_identifier_by_the_luck_of_a_key(entity: str, form: str) -> None:
    numbers = [n * 7_919_567_891 % 10**10 for n in range(1, 250)]
    assert column_found([form.format(n, n) for n in numbers], "format_preserving", entity) == {}


def test_an_identifier_within_a_text_is_found_beside_ciphertexts() -> None:
    cells: list[str | None] = ["98765 43210", "see 98765 43210 or asha@mail.example for the file of last year"]
    found = column_found(cells, "format_preserving", "account_number")
    assert found == {"number": {Entity.PHONE: 1, Entity.EMAIL: 1}}


def test_encrypted_texts_are_never_taken_for_identifiers() -> None:
    plan = plan_of("deterministic_encryption")
    texts = plan.apply(pa.array([str(n) for n in range(20_000)])).values.to_pylist()
    assert column_found(texts, "deterministic_encryption", "aadhaar") == {}
    assert column_found(["2341 2341 2346"], "deterministic_encryption", "pan") == {"number": {Entity.AADHAAR: 1}}


def plan_of(kind: str) -> ColumnTreatment:
    declared = policy({**COLUMNS, "number": column(treatment=kind, entity="aadhaar", level="direct")})
    return Masking(declared, key_for=key_for)._plan.treatments["number"]
