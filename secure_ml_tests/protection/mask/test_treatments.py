"""Each treatment by examples."""

import base64
import hashlib
import hmac
import math
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import TypeAdapter

from secure_ml.policy.labels import Entity
from secure_ml.policy.treatments import Treatment
from secure_ml.protection.mask.describe import describe_treatment
from secure_ml.protection.mask.forms import count_untreated
from secure_ml.protection.mask.generalise_date import GeneraliseDate
from secure_ml.protection.mask.generalise_geography import GeneraliseGeography
from secure_ml.protection.mask.generalise_number import GeneraliseNumber
from secure_ml.protection.mask.keep import Keep
from secure_ml.protection.mask.partial_mask import PartialMask
from secure_ml.protection.mask.redact import Redact
from secure_ml.protection.mask.scrub_text import ScrubText
from secure_ml.protection.mask.target_label import Outcome
from secure_ml.protection.mask.token import Token, TokenKeyError, token_purpose
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated
from secure_ml.vault.labels import declassifier_of
from secure_ml_tests.protection.mask.tables import column_policy

KEY, OTHER_KEY = b"k" * 32, b"o" * 32


def reader(kind: str, spec: dict[str, Any], entity: str = "none", type_: str = "string") -> ColumnReader:
    return ColumnReader(column_policy(type_, {"kind": kind, **spec}, entity=entity), ("",))


def spec_of(kind: str, **fields: Any) -> Any:
    return TypeAdapter(Treatment).validate_python({"kind": kind, **fields})


def mask(cells: list[str | None], entity: str = "none", **kept: int) -> Treated:
    spec = spec_of("partial_mask", **kept)
    return PartialMask(reader("partial_mask", kept, entity), spec).apply(pa.array(cells, pa.string()))


def number(cells: list[str | None], type_: str = "number", **fields: Any) -> Treated:
    treatment = GeneraliseNumber(
        reader("generalise_number", fields, type_=type_), spec_of("generalise_number", **fields)
    )
    treated = treatment.apply(pa.array(cells, pa.string()))
    assert count_untreated(treated.values, treatment.spec) == 0
    return treated


def token_of(entity: str = "none", key: bytes = KEY, **fields: Any) -> Token:
    return Token(reader("token", fields, entity), spec_of("token", **fields), token_purpose(Entity(entity)), key)


def tokens(cells: list[str | None], entity: str = "none", key: bytes = KEY, **fields: Any) -> list[str | None]:
    values: list[str | None] = token_of(entity, key, **fields).apply(pa.array(cells)).values.to_pylist()
    return values


@pytest.mark.parametrize(
    ("cell", "entity", "kept", "masked"),
    [
        ("98765 43210", "phone", {"keep_last": 4}, "***** *3210"),
        ("+91-98765-43210", "phone", {"keep_first": 2, "keep_last": 2}, "+91-*****-***10"),
        ("ABCPE1234F", "pan", {}, "**********"),
        ("asha.k@mail.example", "email", {"keep_first": 1}, "a***.*@****.*******"),
        ("Asha Kulkarni", "person_name", {"keep_first": 1}, "A*** ********"),
        ("2341 2341 234", "aadhaar", {"keep_last": 4}, "**** **** ***"),
        ("1234567", "none", {"keep_last": 4}, "*******"),
        ("12345678", "none", {"keep_last": 4}, "****5678"),
        ("----", "none", {"keep_last": 4}, "[REDACTED]"),
        ("*****", "none", {"keep_last": 4}, "[REDACTED]"),
        ("७८९", "none", {}, "***"),
        ("अजय मोरे", "person_name", {"keep_first": 1}, "अ** ****"),
        ("a\u0301bc#12\n34", "none", {"keep_last": 2}, "*****" + "**" + "*34"),
    ],
)
def test_partial_mask(cell: str, entity: str, kept: dict[str, int], masked: str) -> None:
    treated = mask([cell, None], entity, **kept)
    assert treated.values.to_pylist() == [masked, None]
    assert count_untreated(treated.values, spec_of("partial_mask", **kept)) == 0


def test_partial_mask_counts_what_has_not_its_entitys_shape() -> None:
    assert mask(["2341 2341 2346", "2341 2341 234", "unknown", "", None], "aadhaar", keep_last=4).unknown == 2


def test_plain_and_other_texts_are_masked_alike_whatever_stands_beside_them() -> None:
    assert mask(["98765 43210", "é"], keep_last=4).values[0] == mask(["98765 43210"], keep_last=4).values[0]


def test_redact_leaves_presence_only() -> None:
    treated = Redact(reader("redact", {}, "email")).apply(pa.array(["asha@mail.example", " ", None, "none"]))
    assert treated == Treated(pa.array(["[REDACTED]", None, None, "[REDACTED]"]), 1)


@pytest.mark.parametrize(
    ("entity", "alike"),
    [
        ("aadhaar", ["2341 2341 2346", "234123412346", "2341-2341-2346", "२३४१ २३४१ २३४६"]),
        ("phone", ["98765 43210", "+91 9876543210", "098765-43210", "919876543210", "0091 98765 43210"]),
        ("account_number", ["0012 3456 7890", "001234567890"]),
        ("pan", ["ABCPE1234F", "abcpe1234f", "ABCPE 1234 F"]),
        ("ifsc", ["ABCD0123456", "abcd 0123456"]),
        ("email", ["Asha@Mail.Example", " asha@mail.example "]),
        ("person_name", ["Zo\u00e9", "Zoe\u0301", " Zo\u00e9\t"]),
    ],
)
def test_one_value_written_twice_gives_one_token(entity: str, alike: list[str | None]) -> None:
    assert len(set(tokens(alike, entity))) == 1


@pytest.mark.parametrize(
    ("entity", "different"),
    [
        ("aadhaar", ["234123412346", "234123412347", "unknown", "not known", "2341x2341"]),
        ("account_number", ["001234567890", "1234567890", "-", "--"]),
        ("pan", ["ABCPE1234F", "ABCPE1234G", "-", " - -"]),
        ("person_name", ["Asha", "asha", "ASHA"]),
    ],
)
def test_other_values_give_other_tokens(entity: str, different: list[str | None]) -> None:
    assert len(set(tokens(different, entity))) == len(different)


def test_tokens_differ_between_entities_and_between_projects() -> None:
    cell: list[str | None] = ["234123412346"]
    assert len({*tokens(cell, "aadhaar"), *tokens(cell, "account_number"), *tokens(cell, "aadhaar", OTHER_KEY)}) == 3


def test_a_token_of_version_1_is_a_marked_base32_of_the_keyed_hash() -> None:
    digest = hmac.new(KEY, b"token:pan\0ABCPE1234F", hashlib.sha256).digest()[:20]
    made = tokens(["abcpe1234f"], "pan", algorithm="hmac_sha256")
    assert made == ["tk1_" + base64.b32encode(digest).decode().lower()]


def test_a_token_of_version_2_is_a_marked_base32_of_the_code_by_a_derived_key() -> None:
    key = HKDF(SHA256(), 32, None, b"secure_ml token cmac 2").derive(KEY)
    code = CMAC(AES(key))
    code.update(b"token:pan".ljust(16, b"\0") + b"ABCPE1234F")
    expected = "tk2_" + base64.b32encode(code.finalize()).decode().rstrip("=").lower()
    assert tokens(["abcpe1234f"], "pan") == tokens(["abcpe1234f"], "pan", algorithm="aes_cmac") == [expected]


@pytest.mark.parametrize(
    ("cell", "entity", "token"),
    [
        ("ABCPE1234F", "pan", "tk2_vyimmhgaoasswwmuxkh3jd3qxi"),
        ("2341 2341 2346", "aadhaar", "tk2_3cjdwf7nfwfpysqvq7fvjqld3q"),
        ("\u0905\u091c\u092f", "person_name", "tk2_mdec56b3nb6xr2jmtcaplug2ma"),
        ("C-1001", "subject_id", "tk2_nzntz5jppynowvxh4c5duyekoe"),
        ("a purpose of sixteen", "medical_record_number", "tk2_s2ot2wf3oi7ra4v2rnpazxc3ai"),
        ("", "none", "tk2_qoehhnphsfjtysfbxuvlykflhm"),
    ],
)
def test_tokens_stay_what_they_were(cell: str, entity: str, token: str) -> None:
    assert token_of(entity).of(pa.array([cell])).to_pylist() == [token]


@pytest.mark.parametrize("algorithm", ["aes_cmac", "hmac_sha256"])
def test_distinct_values_have_distinct_tokens(algorithm: str) -> None:
    made = token_of(algorithm=algorithm).of(pa.array(range(200_000)).cast(pa.string()))
    assert pc.count_distinct(made).as_py() == 200_000


def test_an_algorithm_gives_only_tokens_of_its_own_mark() -> None:
    for made_by, read_as, untreated in (
        ("aes_cmac", "aes_cmac", 0), ("hmac_sha256", "hmac_sha256", 0), ("aes_cmac", "hmac_sha256", 2),
        ("hmac_sha256", "aes_cmac", 2),
    ):  # fmt: skip
        made = pa.array(tokens(["a", "b", None], algorithm=made_by))
        assert count_untreated(made, spec_of("token", algorithm=read_as)) == untreated


def test_repeated_values_have_the_tokens_that_single_ones_have() -> None:
    cells: list[str | None] = ["x", None, *map(str, range(20))] * 500
    alone = {cell: None if cell is None else tokens([cell])[0] for cell in set(cells)}
    assert tokens(cells) == [alone[cell] for cell in cells]
    assert tokens([*map(str, range(9000)), None]) == [*(tokens([str(n)])[0] for n in range(9000)), None]


def test_a_token_of_a_broken_value_is_counted() -> None:
    treated = token_of("aadhaar").apply(pa.array(["234123412346", "23412341234", "unknown", "", None]))
    assert treated.unknown == 2
    assert treated.values.null_count == 2
    assert count_untreated(treated.values, spec_of("token")) == 0


def test_a_short_key_is_refused_and_no_key_is_shown() -> None:
    with pytest.raises(TokenKeyError, match="32 bytes"):
        token_of(key=b"k" * 31)
    assert "k" * 8 not in repr(token_of())


@pytest.mark.parametrize(
    ("cell", "step", "edge"),
    [("45,999", 5000, 45000), ("45000", 5000, 45000), ("-1", 5000, -5000), ("0", 10, 0), ("0.3", 0.1, 0.3)],
)  # fmt: skip
def test_generalise_number_by_steps_gives_the_lower_edge(cell: str, step: float, edge: float) -> None:
    assert math.isclose(number([cell], step=step).values[0].as_py(), edge)


def test_generalise_number_by_cuts_gives_finite_edges_below_the_first_too() -> None:
    cells: list[str | None] = ["-9e9", "99.9", "100", "199", "300", "9e9", None]
    edges = number(cells, cuts=(100, 200, 300)).values.to_pylist()
    assert edges == [0.0, 0.0, 100.0, 100.0, 300.0, 300.0, None]
    assert number(["1", "7"], cuts=(5,)).values.to_pylist() == [4.0, 5.0]


@pytest.mark.parametrize("cut", [1e300, 1.7e308, -1.7e308])
def test_generalise_number_stays_finite_at_the_ends(cut: float) -> None:
    edges = number(["-1.79e308", "1.79e308"], cuts=(cut,)).values.to_pylist()
    assert all(math.isfinite(edge) for edge in edges)
    assert edges[0] < edges[1]


def test_generalise_number_counts_what_is_no_number() -> None:
    treated = number(["unknown", "12", "", None], type_="integer", step=10)
    assert treated.values.to_pylist() == [None, 10.0, None, None]
    assert treated.unknown == 1


def test_generalise_number_counts_a_number_too_large_for_its_step() -> None:
    assert number(["1e300"], step=1e-300) == Treated(pa.array([None], pa.float64()), 1)


def test_generalise_date_leaves_year_or_month() -> None:
    cells = pa.array(["25/03/1990", "1990-12-01", "unknown", "", None])
    for to, expected in (("year", [1990, 1990]), ("month", ["1990-03", "1990-12"])):
        spec = spec_of("generalise_date", to=to)
        treated = GeneraliseDate(reader("generalise_date", {"to": to}, type_="date"), spec).apply(cells)
        assert treated.values.to_pylist() == [*expected, None, None, None]
        assert treated.unknown == 1
        assert count_untreated(treated.values, spec) == 0


@pytest.mark.parametrize(
    ("entity", "cell", "region"),
    [
        ("pin_code", "577201", "577"), ("pin_code", "577 201", "577"), ("pin_code", "unknown", None),
        ("pin_code", "5772", None), ("none", "SW1A 1AA", "SW1"), ("none", "560", None), ("none", "Shimoga", None),
        ("none", "14 Lotus Lane, Shimoga", None),
    ],
)  # fmt: skip
def test_generalise_geography_leaves_the_leading_characters(entity: str, cell: str, region: str | None) -> None:
    spec = spec_of("generalise_geography", keep_first=3)
    treated = GeneraliseGeography(reader("generalise_geography", {"keep_first": 3}, entity), spec).apply(
        pa.array([cell])
    )
    assert treated == Treated(pa.array([region], pa.string()), int(region is None))
    assert count_untreated(treated.values, spec) == 0


def test_outcome_compares_after_trimming() -> None:
    treated = Outcome(reader("keep", {}), "yes").apply(pa.array([" yes ", "no", "", None]))
    assert treated == Treated(pa.array([True, False, None, None]), 0)


@pytest.mark.parametrize(
    "treatment", [Redact, PartialMask, Token, GeneraliseNumber, GeneraliseDate, GeneraliseGeography]
)
def test_a_treatment_lowers_labels_under_the_name_that_a_policy_gives_it(treatment: type[ColumnTreatment]) -> None:
    declassifier = declassifier_of(treatment)
    assert declassifier is not None
    assert re.sub(r"(?<!^)(?=[A-Z])", "_", treatment.__name__).lower() == declassifier.name


def test_what_keeps_its_input_lowers_no_label() -> None:
    assert [declassifier_of(kind) for kind in (Keep, Outcome, ScrubText)] == [None, None, None]


@pytest.mark.parametrize(
    ("kind", "entity", "words"),
    [
        ({"kind": "keep"}, "none", "kept as string"),
        ({"kind": "drop"}, "none", "dropped"),
        ({"kind": "redact"}, "none", "redacted"),
        ({"kind": "token"}, "none", "keyed token"),
        ({"kind": "format_preserving"}, "pan", "encrypted within its form"),
        ({"kind": "deterministic_encryption"}, "none", "encrypted, alike for alike values"),
        ({"kind": "partial_mask", "keep_last": 4}, "none", "last 4 characters kept"),
        (
            {"kind": "partial_mask", "keep_first": 1, "keep_last": 2}, "none",
            "first 1 character and last 2 characters kept",
        ),
        ({"kind": "partial_mask"}, "none", "every character masked"),
        ({"kind": "generalise_geography", "keep_first": 3}, "pin_code", "district (first 3 digits)"),
        ({"kind": "generalise_geography", "keep_first": 2}, "none", "region (first 2 characters)"),
        ({"kind": "scrub_text"}, "free_text", "identifiers replaced by their kind; still personal"),
    ],
)  # fmt: skip
def test_a_treatment_is_described_in_words(kind: dict[str, Any], entity: str, words: str) -> None:
    assert describe_treatment(column_policy(treatment=kind, entity=entity)) == words


def test_generalisations_are_described_in_words() -> None:
    described = [
        describe_treatment(column_policy(type_, {"kind": kind, **fields}))
        for type_, kind, fields in (
            ("date", "generalise_date", {"to": "year"}),
            ("date", "generalise_date", {"to": "month"}),
            ("number", "generalise_number", {"step": 5000}),
            ("number", "generalise_number", {"cuts": (1, 2)}),
        )
    ]
    assert described == ["year only", "year and month only", "rounded down to steps of 5000", "interval among 3"]
