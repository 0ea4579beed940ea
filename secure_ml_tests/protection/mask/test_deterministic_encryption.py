"""deterministic_encryption: the text's format, equality, authentication, and the way back."""

import base64
from typing import Any

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.policy.labels import Entity
from secure_ml.policy.treatments import DeterministicEncryption as Spec
from secure_ml.protection.mask.deterministic_encryption import (
    DeterministicEncryption,
    EncryptionKeyError,
    encryption_purpose,
)
from secure_ml.protection.mask.forms import count_untreated
from secure_ml.protection.mask.treatment import ColumnReader
from secure_ml_tests.protection.mask.tables import column_policy

KEY = bytes(range(32))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def treatment(entity: str = "none", key: bytes = KEY, project: str = "loans") -> DeterministicEncryption:
    reader = ColumnReader(column_policy("string", "deterministic_encryption", entity=entity), ("",))
    return DeterministicEncryption(reader, f"{project}:{entity}".encode(), key)


def encrypted(cells: list[str | None], **more: Any) -> list[str | None]:
    made: list[str | None] = treatment(**more).apply(pa.array(cells, pa.string())).values.to_pylist()
    return made


def test_a_text_is_a_marked_base32_of_what_the_library_makes() -> None:
    key = HKDF(SHA256(), 64, None, b"secure_ml deterministic encryption 1").derive(KEY)
    sealed = AESSIV(key).encrypt("Zoë Kulkarni".encode(), [b"loans:person_name"])
    expected = "ds1_" + base64.b32encode(sealed).decode().rstrip("=").lower()
    assert encrypted([" Zoë Kulkarni "], entity="person_name") == [expected]


@pytest.mark.parametrize(
    ("cell", "made"),
    [
        ("ABCPE1234F", "ds1_wz6obvakoixje6t2usoe65juqg6oe75hicrqglr43e"),
        ("\u0905\u091c\u092f", "ds1_d52ipy2i5n4v23ewrddk6lp7isjyl3y6gdnu2dms"),
        (
            "a remark of more than sixteen bytes",
            "ds1_m5dpesmzuubrynfyewdlt5bkbxdkl2pa2o72d6y4oz26ac6tdveruyc2oi6mhogtgxjai47x2ctz34otea",
        ),
    ],
)
def test_texts_stay_what_they_were(cell: str, made: str) -> None:
    assert encrypted([cell]) == [made]


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(st.none() | TEXT, max_size=8))
def test_every_text_comes_back_and_null_stays_null(cells: list[str | None]) -> None:
    one = treatment()
    texts = one.reader.text(pa.array(cells, pa.string()))
    treated = one.apply(pa.array(cells, pa.string()))
    assert one.invert(treated.values).equals(texts)
    assert treated.values.null_count == texts.null_count
    assert count_untreated(treated.values, Spec(kind="deterministic_encryption")) == 0


def test_a_column_of_many_lengths_keeps_its_order() -> None:
    cells = pa.array([None if n % 7 == 0 else "x" * (n % 61) + str(n) for n in range(20_000)])
    assert treatment().invert(treatment().apply(cells).values[19_000:]).equals(cells[19_000:])


def test_equal_values_give_equal_texts_and_only_in_their_project_and_entity() -> None:
    cell: list[str | None] = ["9876543210"]
    assert encrypted(cell * 2)[0] == encrypted(cell)[0]
    others = [encrypted(cell, entity="phone"), encrypted(cell, project="cards"), encrypted(cell, key=bytes(32))]
    assert len({made for (made,) in [encrypted(cell), *others]}) == 4
    assert encryption_purpose(Entity.PHONE) == "siv:phone"


def test_what_was_changed_or_is_of_another_key_or_column_does_not_come_back() -> None:
    (made,) = encrypted(["9876543210"])
    assert made is not None
    changed = [made[:n] + ("a" if made[n] != "a" else "b") + made[n + 1 :] for n in range(4, len(made) - 1)]
    cells = pa.array(
        [
            *changed,
            made[4:],
            "ds2_" + made[4:],
            made[:-2],
            made.upper(),
            "9876543210",
            "ds1_",
            "ds1_a",
            "[REDACTED]",
            None,
        ]
    )
    assert treatment().invert(cells).null_count == len(cells)
    for other in (treatment("phone"), treatment(project="cards"), treatment(key=bytes(32))):
        assert other.invert(pa.array([made])).to_pylist() == [None]


def test_a_value_of_another_shape_is_encrypted_and_counted() -> None:
    treated = treatment("pan").apply(pa.array(["ABCPE1234F", "unknown", "", None]))
    assert (treated.unknown, treated.values.null_count) == (1, 2)
    assert treatment("pan").invert(treated.values).to_pylist() == ["ABCPE1234F", "unknown", None, None]


def test_what_stands_as_it_was_is_untreated() -> None:
    spec = Spec(kind="deterministic_encryption")
    assert count_untreated(pa.array(["ABCPE1234F", "ds1_short", None, *encrypted(["x"])]), spec) == 2


def test_a_key_of_another_length_is_refused_and_no_key_is_shown() -> None:
    with pytest.raises(EncryptionKeyError, match="32 bytes"):
        treatment(key=b"short")
    assert repr(KEY) not in repr(treatment())
