"""Free text with each identifier in it replaced by its kind."""

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from secure_ml.policy.labels import Entity
from secure_ml.policy.treatments import Treatment
from secure_ml.protection.classify.errors import LanguageModelUnusable
from secure_ml.protection.mask.describe import describe_treatment
from secure_ml.protection.mask.residual import residual_identifiers
from secure_ml.protection.mask.scrub_text import ScrubText
from secure_ml.protection.mask.treatment import ColumnReader
from secure_ml.vault.labels import declassifier_of
from secure_ml_tests.protection.classify.language_models import install
from secure_ml_tests.protection.mask.tables import column_policy


def treatment(identifying: dict[str, Entity], **fields: Any) -> ScrubText:
    spec: Any = TypeAdapter(Treatment).validate_python({"kind": "scrub_text", **fields})
    reader = ColumnReader(column_policy("string", {"kind": "scrub_text", **fields}, entity="free_text"), ("",))
    return ScrubText(reader, spec, identifying)


IDENTIFYING = {
    "name": Entity.PERSON_NAME,
    "phone": Entity.PHONE,
    "email": Entity.EMAIL,
    "address": Entity.POSTAL_ADDRESS,
    "customer": Entity.SUBJECT_ID,
    "other": Entity.NONE,
}


def scrub(text: str | None, **row: str) -> str | None:
    beside = [pa.array([row.get(name)], pa.string()) for name in IDENTIFYING]
    scrubbed: str | None = treatment(IDENTIFYING).apply(pa.array([text], pa.string()), *beside).values[0].as_py()
    return scrubbed


@pytest.mark.parametrize(
    ("text", "row", "scrubbed"),
    [
        (None, {}, None),
        ("documents complete", {"name": "Complet"}, "documents complete"),
        ("call 98765 43210 soon", {}, "call <PHONE> soon"),
        ("Spoke to IRAWATI's brother", {"name": "Irawati Phadke"}, "Spoke to <PERSON_NAME>'s brother"),
        ("Mrs Phadke agreed", {"name": "Mrs Irawati Phadke"}, "<PERSON_NAME> agreed"),
        ("older no. 022-2345 678 is dead", {"phone": "0222345678"}, "older no. <PHONE> is dead"),
        ("older no. 22/234/56780 is dead", {"phone": "+91 2223456780"}, "older no. <PHONE> is dead"),
        ("write to i.phadke at home", {"email": "i.phadke"}, "write to <EMAIL> at home"),
        ("near Lotus Lane, opposite", {"address": "14, lotus lane, Shimoga"}, "near <POSTAL_ADDRESS>, opposite"),
        ("file C-1001 closed, C-10011 open", {"customer": "c-1001"}, "file <SUBJECT_ID> closed, C-10011 open"),
        ("badge zx81q7", {"other": "ZX81Q7"}, "badge <IDENTIFIER>"),
        ("İİ Irawati agreed", {"name": "Irawati"}, "İİ <PERSON_NAME> agreed"),
        ("राम मोहन से बात", {"name": "राम मोहन"}, "<PERSON_NAME> से बात"),
        ("Zoe\u0301s agreed", {"name": "Zo\u00e9s"}, "<PERSON_NAME> agreed"),
        ("9876543210 9876543210", {"phone": "9876543210"}, "<PHONE>"),
    ],
)
def test_scrub_text(text: str | None, row: dict[str, str], scrubbed: str | None) -> None:
    assert scrub(text, **row) == scrubbed


def test_the_same_remark_is_scrubbed_row_by_row() -> None:
    texts = pa.array(["Irawati agreed", "Irawati agreed", None])
    names = pa.array(["Irawati Phadke", "Other Person", "Irawati"])
    treated = treatment({"name": Entity.PERSON_NAME}).apply(texts, names)
    assert treated.values.to_pylist() == ["<PERSON_NAME> agreed", "Irawati agreed", None]


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        (
            "Spoke to Tamara Olsen of Datum Ltd. at 12 Lake Road, Chicago",
            "Spoke to <PERSON_NAME> of <ORGANISATION>. at <POSTAL_ADDRESS>",
        ),
        ("my name is tamara olsen, i live in chicago", "my name is <PERSON_NAME>, i live in <PLACE>"),
        ("98765\n43210 is new", "<PHONE> is new"),
        ("aadhaar 2341\u200b2341\u200d2346 seen", "aadhaar <AADHAAR> seen"),
        ("\u202e 98765 43210 \u202c", "\u202e <PHONE> \u202c"),
        ("call \uff19\uff18\uff17\uff16\uff15 \U0001d7d2\U0001d7d1\U0001d7d0\U0001d7cf\U0001d7ce", "call <PHONE>"),
        ("Tamara Tamara", "<PERSON_NAME>"),
        ("Tamara, Tamara", "<PERSON_NAME>, <PERSON_NAME>"),
    ],
)
def test_what_nobody_declared_is_found_by_the_text_alone(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


def test_a_text_without_identifiers_stays_as_it_is() -> None:
    remark = (
        "Documents complete. Property papers verified by the legal team; income 1200000, emi 12000, tenure 24 months"
    )
    assert scrub(remark) == remark


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_every_text_survives_outside_of_what_is_replaced(text: str) -> None:
    treated = treatment(IDENTIFYING).apply(pa.array([text]), *[pa.array([None], pa.string())] * len(IDENTIFYING))
    (scrubbed,) = treated.values.to_pylist()
    assert (scrubbed is None) == (not text.strip())
    assert treated.unknown == 0


DIGITS = st.text(st.sampled_from("0123456789"), min_size=1, max_size=13)
FRAGMENTS = DIGITS | st.sampled_from(
    ["phone", "a/c", "bank", "order no", "dob", "aadhaar", "Asha", "12 Lake Road", "ABCPE1234F", "2341 2341 2346",
     "9876543210", "asha@mail.example", "GB82WEST12345698765432", "4111 1111 1111 1111", "\u0968\u0969", "\uff19\uff18"]
)  # fmt: skip
BETWEEN = st.sampled_from(
    [" ", "\n", " \n", "\r\n", "\u200c", "\u200d", "\u200b", "\u202e", "-", "/", "(", ")", ", ", ":", "_"]
)
MIXED = st.lists(st.tuples(FRAGMENTS, BETWEEN), min_size=2, max_size=12).map(lambda pairs: "".join(map("".join, pairs)))


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(MIXED, min_size=10, max_size=20), own=st.sampled_from(["Asha", "12", "1 Road, 2345", "567890"]))
@example(texts=["7844 1322\n+95004 \n 01/55/1432", "322.+64303/709813\u200bpin"], own="-")
@example(texts=["6310 9237:96\r\n718318", "20192517/638594\u200c47/25/9535."], own="-")
def test_the_check_of_masked_rows_finds_nothing_in_what_was_scrubbed(texts: list[str], own: str) -> None:
    beside = [pa.array([own] * len(texts), pa.string())] * len(IDENTIFYING)
    scrubbed = treatment(IDENTIFYING).apply(pa.array(texts, pa.string()), *beside).values
    assert residual_identifiers(scrubbed, whole_accounts=False, masked=False) == {}


def test_scrubbed_text_keeps_its_label_and_is_never_called_anonymous() -> None:
    assert declassifier_of(ScrubText) is None
    words = describe_treatment(column_policy(treatment={"kind": "scrub_text"}, entity="free_text"))
    assert "anonym" not in words
    assert "personal" in words


def test_a_model_that_is_not_installed_stops_the_masking_and_quotes_no_text() -> None:
    with pytest.raises(LanguageModelUnusable, match=r"'no_such_model'.*no such package.*install") as caught:
        treatment({}, model="no_such_model").apply(pa.array(["Tamara came"]))
    assert "Tamara" not in str(caught.value)


@pytest.mark.parametrize("name", ["../model", "/models/en", "en.core", "En_core", "", "a"])
def test_a_model_is_named_by_its_package_never_by_a_path(name: str) -> None:
    with pytest.raises(ValidationError):
        treatment({}, model=name)


def test_what_only_the_model_knows_is_replaced_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    model = install(tmp_path, {"PERSON": ["qworx zibble"], "ORG": ["frobnitz"], "DATE": ["spring"]})
    texts = pa.array(["saw qworx zibble at frobnitz in spring"])
    assert treatment({}).apply(texts).values[0].as_py() == texts[0].as_py()
    scrubbed = treatment({}, model=model).apply(texts).values[0].as_py()
    assert scrubbed == "saw <PERSON_NAME> at <ORGANISATION> in spring"
