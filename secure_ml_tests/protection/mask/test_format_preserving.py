"""Format-preserving encryption of columns: the form, the check digits, the refusals, and the way back."""

import re
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from stdnum import iban, luhn, verhoeff
from stdnum.in_ import epic, gstin
from stdnum.us import rtn

from secure_ml.policy.columns import FEW_VALUES, WITH_CHECK_DIGITS
from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.checksums import nhs_number
from secure_ml.protection.mask.check_digits import CHECK_DIGITS, NONE
from secure_ml.protection.mask.format_preserving import FormatKeyError, FormatPreserving, format_purpose
from secure_ml.protection.mask.forms import count_untreated
from secure_ml.protection.mask.mixed_radix import MixedRadixCipher
from secure_ml.protection.mask.plan import make_plan
from secure_ml.protection.mask.treatment import REDACTED, ColumnReader
from secure_ml_tests.protection.mask.tables import COLUMNS, column, column_policy, policy

KEY = bytes(range(32))

NUMBERS = {
    "aadhaar": ["2341 2341 2346", "234123412346", "9999 4105 7058"],
    "card": ["4111 1111 1111 1111", "378282246310005", "6011-1111-1111-1117"],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NL91ABNA0417164300"],
    "gstin": ["27AAPFU0939F1ZV"],
    "nhs_number": ["943 476 5919"],
    "npi": ["1234567893"],
    "routing_number": ["021000021"],
    "voter_id": ["WKH1186253", "wkh/1186253"],
}  # fmt: skip


@cache
def treatment(entity: str = "none", key: bytes = KEY, project: str = "loans", **fields: str) -> FormatPreserving:
    declared = column_policy("string", {"kind": "format_preserving", **fields}, entity=entity)
    reader = ColumnReader(declared, ("",))
    return FormatPreserving(reader, declared.treatment, f"{project}:{entity}".encode(), key)


def crypted(cells: list[str | None], entity: str = "none", **more: Any) -> list[str | None]:
    made: list[str | None] = treatment(entity, **more).apply(pa.array(cells, pa.string())).values.to_pylist()
    return made


def form(text: str) -> str:
    """A text with every letter and digit replaced by its kind."""
    return re.sub("[0-9]", "0", re.sub("[a-z]", "a", re.sub("[A-Z]", "A", text)))


VALID = {
    "aadhaar": verhoeff.is_valid, "card": luhn.is_valid, "iban": lambda n: iban.mod_97_10.is_valid(n[4:] + n[:4]),
    "gstin": lambda n: luhn.is_valid(n, gstin._ALPHABET), "npi": lambda n: luhn.is_valid("80840" + n),
    "routing_number": rtn.is_valid, "voter_id": epic.is_valid,
    "nhs_number": lambda n: bool(nhs_number(pa.array([n]))[0]),
}  # fmt: skip
"""Whether a number's check digits are right, by another's code where there is some."""


def is_valid(number: str, entity: str) -> bool:
    return bool(VALID[entity](re.sub(r"[^0-9A-Z]", "", number.upper())))


@pytest.mark.parametrize(
    "cell",
    [
        "98765 43210", "+91-98765-43210", "ABCPE1234F", "abcpe1234f", "Asha Kulkarni", "KA-01-AB-1234", "x1y2z3w4v5",
        "asha.k@mail.example", "1234567", "00000000", "\u20b91,23,45,678", "\u2116 1234567", "\u200f1234567\u00b4",
    ],
)  # fmt: skip
def test_every_letter_and_digit_is_encrypted_in_its_kind_and_all_else_stands(cell: str) -> None:
    (made,) = crypted([cell])
    assert made != cell
    assert form(made or "") == form(cell)
    assert treatment().invert(pa.array([made])).to_pylist() == [cell]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("12345", "a hundred thousand values"), ("abcd", "26^4"), ("AB123", "676,000 values"), ("x", "one"),
        ("-- /", "none"), ("\u0905\u091c\u092f \u092e\u094b\u0930\u0947", "letters of no alphabet"),
        ("1234567\u0664", "a digit of no alphabet"), ("1234567\ue000", "a private character"), ("1" * 129, "too long"),
        ("1234567 \u24b6\u24c8\u24bd\u24b6", "letters in circles"), ("1234567 \u2801\u280e\u2813", "Braille"),
        ("1234567 \u2f25", "a radical"), ("1234567 \U0001f1ee\U0001f1f3", "a flag, which spells"),
        ("1234567\U000e0041\U000e0053", "tags, which spell unseen"),
    ],
)  # fmt: skip
def test_what_has_no_form_is_redacted_and_counted(cell: str, why: str) -> None:
    treated = treatment().apply(pa.array([cell, "1234567", None]))
    assert treated.values[0].as_py() == REDACTED, why
    assert treated.values[1].as_py() != REDACTED
    assert (treated.values[2].as_py(), treated.unknown) == (None, 1)


def test_a_column_of_nothing_but_long_texts_is_redacted_too() -> None:
    assert crypted(["1" * 129, "2" * 129]) == [REDACTED] * 2


@pytest.mark.parametrize("cell", ["123456", "abcde", "AB12345", "AB123456", "1" * 128, "Ab1" * 42])
def test_the_smallest_and_the_longest_forms_are_taken(cell: str) -> None:
    (made,) = crypted([cell])
    assert form(made or "") == form(cell)
    assert treatment().invert(pa.array([made])).to_pylist() == [cell]


def test_equal_letters_and_digits_are_encrypted_alike_however_they_are_written() -> None:
    first, second, third = (made or "" for made in crypted(["98765 43210", "9876543210", "98-76-54-32-10"]))
    assert first.replace(" ", "") == second == third.replace("-", "")


def test_projects_entities_and_keys_have_nothing_in_common() -> None:
    cell: list[str | None] = ["9876543210"]
    made = [*crypted(cell), *crypted(cell, project="cards"), *crypted(cell, "phone"), *crypted(cell, key=bytes(32))]
    assert len(set(made)) == 4
    assert format_purpose(Entity.PHONE) == "fpe:phone"


CIPHERTEXTS = [
    ("pan", "ABCPE1234F", "OKABW3974A"), ("phone", "98765 43210", "79063 00861"),
    ("aadhaar", "2341 2341 2346", "4919 7223 6711"), ("card", "4111 1111 1111 1111", "9317 0591 9658 1797"),
    ("iban", "GB82 WEST 1234 5698 7654 32", "SM53 GWFM 9590 9296 5900 22"),
    ("gstin", "27AAPFU0939F1ZV", "61ZSCKD6919Y1GT"), ("person_name", "Asha Kulkarni", "Pxqk Buazajhu"),
]  # fmt: skip


@pytest.mark.parametrize(("entity", "cell", "made"), CIPHERTEXTS)
def test_ciphertexts_stay_what_they_were(entity: str, cell: str, made: str) -> None:
    assert crypted([cell], entity) == [made]


@pytest.mark.parametrize("entity", NUMBERS)
def test_a_ciphertexts_check_digits_are_wrong_and_its_value_comes_back(entity: str) -> None:
    made = crypted(list(NUMBERS[entity]), entity)
    assert [form(one or "") for one in made] == [form(number) for number in NUMBERS[entity]]
    assert all(is_valid(number, entity) for number in NUMBERS[entity])
    assert not any(is_valid(one or "", entity) for one in made)
    assert treatment(entity).invert(pa.array(made)).to_pylist() == NUMBERS[entity]


@pytest.mark.parametrize("entity", NUMBERS)
def test_valid_check_digits_come_only_where_the_policy_asks_for_them(entity: str) -> None:
    made = crypted(list(NUMBERS[entity]), entity, check_digit="valid")
    assert [form(one or "") for one in made] == [form(number) for number in NUMBERS[entity]]
    assert all(is_valid(one or "", entity) for one in made)
    assert treatment(entity, check_digit="valid").invert(pa.array(made)).to_pylist() == NUMBERS[entity]


@pytest.mark.parametrize("entity", NUMBERS)
def test_a_number_with_a_wrong_check_digit_is_redacted_and_counted(entity: str) -> None:
    number = NUMBERS[entity][0]
    last = number[-1]
    wrong = [number[:-1] + other for other in ("0123456789" if last.isdigit() else "ABVXYZ") if other != last]
    treated = treatment(entity).apply(pa.array(wrong))
    assert (set(treated.values.to_pylist()), treated.unknown) == ({REDACTED}, len(wrong))


@pytest.mark.parametrize("entity", NUMBERS)
def test_a_cell_that_was_not_treated_is_told_by_its_check_digits(entity: str) -> None:
    spec = treatment(entity).spec
    made = pa.array([*crypted(list(NUMBERS[entity]), entity), None, REDACTED])
    assert count_untreated(made, spec, Entity(entity)) == 0
    assert count_untreated(pa.array([*NUMBERS[entity], None]), spec, Entity(entity)) == len(NUMBERS[entity])
    assert treatment(entity).invert(pa.array(NUMBERS[entity])).null_count == len(NUMBERS[entity])


def test_thousands_of_numbers_come_back_and_none_is_valid() -> None:
    rng = np.random.default_rng(4)
    for entity, length in (("nhs_number", 10), ("card", 16), ("aadhaar", 12), ("routing_number", 9)):
        payload = rng.integers(2, 10, (15_000, length - 1)).astype(np.uint8)
        payload[:, 0] = 4  # a card of a known network
        check = CHECK_DIGITS[Entity(entity)].of(payload)
        rows = np.hstack([payload, check])[(check != NONE).all(axis=1)]
        numbers = pa.array(["".join(map(str, row)) for row in rows.tolist()])
        treated = treatment(entity).apply(numbers)
        assert treated.unknown == 0
        assert not any(is_valid(one, entity) for one in treated.values.to_pylist()[:300])
        assert count_untreated(treated.values, treatment(entity).spec, Entity(entity)) == 0
        assert treatment(entity).invert(treated.values).equals(numbers)
        assert pc.count_distinct(treated.values).as_py() == pc.count_distinct(numbers).as_py()


def test_the_check_digits_are_those_of_other_implementations() -> None:
    rng = np.random.default_rng(9)
    for entity, length in (("aadhaar", 12), ("card", 13), ("npi", 10), ("routing_number", 9), ("nhs_number", 10)):
        payload = rng.integers(0, 10, (50, length - 1)).astype(np.uint8)
        for row, check in zip(payload.tolist(), CHECK_DIGITS[Entity(entity)].of(payload)[:, 0].tolist(), strict=True):
            right = [digit for digit in range(10) if is_valid("".join(map(str, [*row, digit])), entity)]
            assert right == ([] if check == NONE else [check])


def test_entities_with_check_digits_are_those_that_the_policy_knows() -> None:
    assert set(CHECK_DIGITS) == WITH_CHECK_DIGITS


@pytest.mark.parametrize(
    ("alphabet", "cell"),
    [
        ("अजयमोरेव ", "अजय मोरेव अजय"),
        ("0123456789abcdef", "00:1b:44:11:3a:b7"),
        ("😀😁😂😃😄😅😆😇😈😉", "😀😁😂😃😄😅😆"),
    ],
)
def test_an_alphabet_of_any_characters_is_encrypted_within_itself(alphabet: str, cell: str) -> None:
    (made,) = crypted([cell], alphabet=alphabet)
    assert made != cell
    assert [c in alphabet for c in made or ""] == [c in alphabet for c in cell]
    assert treatment(alphabet=alphabet).invert(pa.array([made])).to_pylist() == [cell]


def test_an_alphabet_of_all_characters_keeps_nothing_of_a_codes_form() -> None:
    base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    made = crypted([f"aB3dE9xZ{n:04d}" for n in range(50)], alphabet=base62)
    assert len({form(one or "") for one in made}) > 45
    assert {len(one or "") for one in made} == {12}


def test_a_letter_outside_of_the_alphabet_is_never_left_readable() -> None:
    assert crypted(["00:1b:44:11:3a:b7:Z"], alphabet="0123456789abcdef") == [REDACTED]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
LIKELY = st.text(st.sampled_from("0123456789ABCxyz -+.@/₹éअ٣😀"), max_size=24)


@settings(max_examples=80, deadline=None)
@given(cells=st.lists(st.none() | TEXT | LIKELY | st.from_regex(r"[A-Z]{5}[0-9]{4}[A-Z]", fullmatch=True), max_size=8),
       entity=st.sampled_from(["none", "pan", "email", "aadhaar"]))  # fmt: skip
def test_what_is_encrypted_keeps_its_form_and_comes_back(cells: list[str | None], entity: str) -> None:
    one = treatment(entity)
    texts = one.reader.text(pa.array(cells, pa.string()))
    treated = one.apply(pa.array(cells, pa.string()))
    back = one.invert(treated.values)
    for text, made, again in zip(*(array.to_pylist() for array in (texts, treated.values, back)), strict=True):
        if text is None:
            assert (made, again) == (None, None)
        elif made == REDACTED:
            assert again is None
        else:
            assert (form(made), again) == (form(text), text)
    assert treated.unknown == treated.values.to_pylist().count(REDACTED)


@settings(max_examples=40, deadline=None)
@given(radices=st.lists(st.sampled_from([2, 10, 26, 36, 1000]), min_size=5, max_size=30), data=st.data())
def test_a_mixed_form_is_permuted(radices: list[int], data: st.DataObject) -> None:
    if np.prod(np.array(radices, dtype=object)) < 1_000_000:
        return
    cipher = MixedRadixCipher(KEY, b"t", radices)
    rows = np.array([[data.draw(st.sampled_from([0, r - 1, r // 2])) for r in radices] for _ in range(3)], np.uint32)
    made = cipher.permuted(rows.copy(), decrypt=False)
    assert (made < np.array(radices)).all()
    assert (cipher.permuted(made.copy(), decrypt=True) == rows).all()


def test_a_mixed_form_is_permuted_as_a_whole() -> None:
    radices = (26, 10, 26, 10, 17)  # no square, so that some results are outside and walked
    every = np.stack([axis.ravel() for axis in np.indices(radices)], axis=1).astype(np.uint32)
    made = MixedRadixCipher(KEY, b"t", radices).permuted(every, decrypt=False)
    numbers = np.ravel_multi_index(tuple(made.T), radices)
    assert len(np.unique(numbers)) == len(every) == 1_149_200
    assert (numbers == np.arange(len(every))).sum() < 20


def test_a_cell_that_is_undone_to_no_value_of_the_entity_was_never_made() -> None:
    cells = pa.array([f"{n:010}" for n in range(200)])  # as another key might have made; no telephone has such a number
    found = treatment("phone").invert(cells)
    assert 0 < found.null_count < 200
    assert treatment("phone").apply(found.drop_null()).unknown == 0


def test_the_plan_binds_a_cipher_to_project_and_entity() -> None:
    def made(project: str, kind: str, entity: str) -> str:
        declared = policy({**COLUMNS, "x": column(treatment=kind, entity=entity)}, project=project)
        one = make_plan(declared, key_for=lambda purpose: KEY).treatments["x"]
        text: str = one.apply(pa.array(["ABCPE1234F"])).values[0].as_py()
        return text

    for kind in ("format_preserving", "deterministic_encryption"):
        assert len({made("loans", kind, "pan"), made("cards", kind, "pan"), made("loans", kind, "none")}) == 3


def test_redacted_cells_and_nulls_do_not_come_back() -> None:
    assert treatment().invert(pa.array([REDACTED, None, "12345", ""])).to_pylist() == [None] * 4


def test_a_key_of_another_length_is_refused_and_no_key_is_shown() -> None:
    with pytest.raises(FormatKeyError, match="32 bytes"):
        treatment(key=b"short")
    assert KEY.hex()[:8] not in repr(treatment())
    assert repr(KEY) not in repr(treatment())


@pytest.mark.parametrize("entity", [*FEW_VALUES, Entity.FREE_TEXT])
@pytest.mark.parametrize("kind", ["token", "format_preserving", "deterministic_encryption"])
def test_no_pseudonym_is_made_of_what_has_few_values(entity: Entity, kind: str) -> None:
    with pytest.raises(ValidationError, match=r"use|drop"):
        column_policy("string", kind, entity=entity.value)


@pytest.mark.parametrize("kind", ["token", "format_preserving", "deterministic_encryption"])
def test_no_pseudonym_is_a_feature_or_made_of_a_boolean(kind: str) -> None:
    with pytest.raises(ValidationError, match="cannot be a feature"):
        column_policy("string", kind, use={"kind": "feature", "reason": "the purpose needs it"})
    with pytest.raises(ValidationError, match="few values"):
        column_policy("boolean", kind)


@pytest.mark.parametrize(
    ("type_", "entity", "fields", "why"),
    [
        ("date", "none", {}, "string or integer"), ("number", "none", {}, "string or integer"),
        ("string", "card", {"alphabet": "0123456789"}, "leave out alphabet"),
        ("string", "none", {"alphabet": "aab"}, "distinct"), ("string", "none", {"alphabet": "a"}, "at least 2"),
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be_meant_is_refused(type_: str, entity: str, fields: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        column_policy(type_, {"kind": "format_preserving", **fields}, entity=entity)


@pytest.mark.parametrize("entity", ["aadhaar", "card", "iban"])
def test_right_and_wrong_numbers_written_alike_do_not_mix(entity: str) -> None:
    right = {"aadhaar": "2341 2341 2346", "card": "4111 1111 1111 1111", "iban": "GB82 WEST 1234 5698 7654 32"}[entity]
    wrong = right[:-1] + "9"
    cells = [right, wrong, right, right, wrong]
    treated = treatment(entity).apply(pa.array(cells))
    (made,) = crypted([right], entity)
    assert treated.values.to_pylist() == [made, REDACTED, made, made, REDACTED]
    mixed = pa.array([made, right, made, wrong])
    assert treatment(entity).invert(mixed).to_pylist() == [right, None, right, None]
