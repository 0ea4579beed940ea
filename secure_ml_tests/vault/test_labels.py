from collections import Counter
from functools import partial
from pkgutil import resolve_name
from types import FunctionType

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.mask.redact import Redact
from secure_ml.protection.mask.treatment import ColumnReader
from secure_ml.vault.labels import (
    DECLASSIFIERS,
    PUBLIC,
    STRICTEST,
    Declassifier,
    Label,
    LabelError,
    declassifier_of,
    declassify,
    join,
)
from secure_ml_tests.protection.mask.tables import column_policy

LABELS = st.builds(
    Label,
    st.frozensets(st.sampled_from(Category), min_size=1),
    st.sampled_from(Entity),
    st.sampled_from(Identifiability),
)


@given(LABELS, LABELS, LABELS)
def test_join_is_a_semilattice(a: Label, b: Label, c: Label) -> None:
    assert join([a, a]) == join([a]) == a
    assert join([a, b]) == join([b, a])
    assert join([join([a, b]), c]) == join([a, join([b, c])]) == join([a, b, c])


@given(LABELS, LABELS, LABELS)
def test_join_is_the_least_label_that_covers_both(a: Label, b: Label, c: Label) -> None:
    both = join([a, b])
    assert both.covers(a)
    assert both.covers(b)
    assert c.covers(both) == (c.covers(a) and c.covers(b))


@given(LABELS, LABELS)
def test_covering_is_an_order(a: Label, b: Label) -> None:
    assert a.covers(a)
    assert (a.covers(b) and b.covers(a)) == (a == b)
    assert a.covers(b) == (join([a, b]) == a)


@given(LABELS)
def test_the_bottom_and_the_top_bound_every_label(label: Label) -> None:
    assert label.covers(PUBLIC)
    assert STRICTEST.covers(label)
    assert join([]) == PUBLIC
    assert join([label, PUBLIC]) == label


@given(LABELS)
def test_a_label_survives_json(label: Label) -> None:
    assert Label.from_json(label.to_json()) == label


@given(LABELS, st.sampled_from(["categories", "entity", "identifiability"]), st.none() | st.text() | st.integers())
def test_a_label_with_another_word_is_refused(label: Label, field: str, wrong: object) -> None:
    assume(wrong not in {*Entity, *Identifiability})
    with pytest.raises(LabelError, match=r"^a label's categor"):
        Label.from_json({**label.to_json(), field: wrong})


@given(LABELS, LABELS)
def test_labels_with_one_key_category_have_one_set_of_categories(a: Label, b: Label) -> None:
    assert (a.key_category == b.key_category) == (a.categories == b.categories)


@given(LABELS, st.sampled_from(sorted(DECLASSIFIERS)))
def test_a_declassifier_never_adds_a_category(label: Label, name: str) -> None:
    assert label.categories >= DECLASSIFIERS[name].lower(label).categories - {Category.INTERNAL}


@pytest.mark.parametrize("declassifier", DECLASSIFIERS.values(), ids=lambda one: one.name)
def test_each_declassifier_is_one_piece_of_code_that_is_there(declassifier: Declassifier) -> None:
    code = resolve_name(declassifier.code)
    assert isinstance(code, FunctionType | type)
    assert declassifier_of(code) is declassifier
    assert declassify(STRICTEST, by=partial(code)) == declassifier.lower(STRICTEST) != STRICTEST


def test_code_is_known_through_partial_application_and_methods() -> None:
    redact = Redact(ColumnReader(column_policy(treatment="redact"), ()))
    for code in (
        Redact,
        redact,
        redact.apply,
        redact.treat,
        partial(partial(redact.treat, name="x"), counts=Counter()),
    ):
        assert declassifier_of(code) is DECLASSIFIERS["redact"]


def redact(column: object) -> object:
    return column


class Laundering(Redact):
    pass


@pytest.mark.parametrize(
    "code",
    [
        "redact",
        redact,
        lambda column: column,
        Laundering,
        partial(redact),
        str.upper,
        len,
        DECLASSIFIERS["redact"],
        None,
    ],
    ids=range(9),
)
def test_a_name_a_namesake_a_subclass_or_any_other_code_declassifies_nothing(code: object) -> None:
    assert declassifier_of(code) is None
    with pytest.raises(LabelError, match="not a registered declassifier"):
        declassify(STRICTEST, by=code)


def test_the_declassifiers_are_a_closed_list() -> None:
    with pytest.raises(TypeError):
        DECLASSIFIERS["launder"] = Declassifier("launder", f"{__name__}:redact", lambda label: PUBLIC)


def test_a_label_without_category_is_refused() -> None:
    with pytest.raises(LabelError):
        Label(frozenset(), Entity.NONE, Identifiability.NONE)


def test_two_kinds_of_value_in_one_column_may_be_anything() -> None:
    email = Label(frozenset({Category.PII}), Entity.EMAIL, Identifiability.DIRECT)
    income = Label(frozenset({Category.FINANCIAL}), Entity.INCOME, Identifiability.QUASI)
    assert join([email, income]).entity is Entity.FREE_TEXT
    assert join([email, PUBLIC]).entity is Entity.EMAIL
