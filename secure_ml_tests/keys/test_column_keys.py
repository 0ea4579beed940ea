import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_ml.keys.column_keys import FOOTER, column_key, column_key_id, encoded_name, keys_of_columns
from secure_ml.keys.context import KeyContext

KEY = bytes(range(32))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def at(category: str, *, bucket: int = 0) -> KeyContext:
    return KeyContext("training", "clinic", "f" * 32, "data", bucket, category)


def test_a_columns_key_is_the_one_of_its_formats_page() -> None:
    # RFC 5869 by hand, and a golden: files of format 2 must stay readable.
    extracted = hmac.digest(bytes(32), KEY, "sha256")
    expanded = hmac.digest(extracted, b"secure_ml column key v1\x00income\x01", "sha256")
    assert column_key(KEY, "income") == expanded
    assert expanded.hex() == "90d9b95882eff343e3cbe42c95eb1c1b8a91e8cd6da48ac7f7eacc34c8c35834"
    assert column_key_id(at("pii"), "full name") == f"v1/training/clinic/{'f' * 32}/data/0/pii/full%20name"


@given(one=NAMES, other=NAMES)
def test_no_two_columns_share_a_key_or_its_id(one: str, other: str) -> None:
    assert (column_key(KEY, one) == column_key(KEY, other)) == (one == other)
    assert (column_key_id(at("pii"), one) == column_key_id(at("pii"), other)) == (one == other)


@given(name=NAMES)
def test_an_encoded_name_holds_nothing_that_a_list_a_path_or_an_id_is_split_at(name: str) -> None:
    assert re.fullmatch(r"([A-Za-z0-9_-]|%[0-9A-F]{2})+", encoded_name(name))


@pytest.mark.parametrize(
    ("column", "encoded"),
    [
        ("income", "income"),
        ("a,b", "a%2Cb"),
        ("a;b:c", "a%3Bb%3Ac"),
        ("a/b", "a%2Fb"),
        ("a%2Cb", "a%252Cb"),
        ("p.q", "p%2Eq"),
        (" x", "%20x"),
        ("आ", "%E0%A4%86"),
    ],
)
def test_a_column_is_encoded_as_the_formats_page_says(column: str, encoded: str) -> None:
    assert encoded_name(column) == encoded


def test_a_reader_gets_the_footers_key_and_those_of_its_columns_only() -> None:
    keys = {at(category, bucket=bucket): bytes([bucket, len(category)]) * 16
            for bucket in (0, 1) for category in (FOOTER, "pii", "internal")}  # fmt: skip
    released = keys_of_columns(keys, {"name": "pii", "region": "internal"})
    assert set(released) == {
        *(at(FOOTER, bucket=bucket).key_id for bucket in (0, 1)),
        *(column_key_id(at("pii", bucket=bucket), "name") for bucket in (0, 1)),
        *(column_key_id(at("internal", bucket=bucket), "region") for bucket in (0, 1)),
    }
    assert not {keys[context] for context in keys if context.category != FOOTER} & set(released.values())
    assert len(set(released.values())) == 6


def test_a_key_of_another_category_is_derived_for_no_column() -> None:
    keys = {at(FOOTER): KEY, at("pii"): KEY, at("health"): KEY}
    assert set(keys_of_columns(keys, {"region": "internal"})) == {at(FOOTER).key_id}
    assert set(keys_of_columns(keys, {"strange": FOOTER})) == {at(FOOTER).key_id}
