"""Invented values."""

import hashlib
import re
import subprocess
import sys
from datetime import date
from typing import Any, get_args

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from secure_ml.policy.labels import Entity, Identifiability
from secure_ml.policy.project import Policy
from secure_ml.policy.treatments import Surrogate, SurrogateKind, SurrogateLocale
from secure_ml.protection.classify.text import find_spans
from secure_ml.protection.mask.forms import count_untreated
from secure_ml.protection.mask.inspection import inspect
from secure_ml.protection.mask.masking import Masking
from secure_ml.protection.mask.plan import plan_without_keys
from secure_ml.protection.mask.surrogate import draw
from secure_ml_tests.protection.mask.single import policy_with, treat, treatment_of
from secure_ml_tests.protection.mask.tables import COLUMNS, ROWS, column, key_for, policy, raw

KINDS: tuple[SurrogateKind, ...] = get_args(SurrogateKind)
LOCALES: tuple[SurrogateLocale, ...] = get_args(SurrogateLocale)
DRAWN = ("person_name", "email", "postal_address", "employer", "place")


def declared(kind: str = "person_name", **fields: Any) -> Policy:
    return policy_with(
        {"kind": "surrogate", **fields}, entity=kind, kind="date" if kind == "date_of_birth" else "string"
    )


def other_project(purpose: str) -> bytes:
    return hashlib.sha256(b"another project" + purpose.encode()).digest()


@pytest.mark.parametrize("kind", KINDS)
def test_a_subject_has_one_surrogate_whatever_its_value_and_another_project_another(kind: str) -> None:
    subjects = [f"C-{n}" for n in range(100)] * 2
    cells = [f"value {n}" for n in range(200)]
    here = treat(declared(kind), cells, subjects).values
    assert here[:100] == here[100:]
    assert len(here.unique()) > 60
    there = treat(declared(kind), cells, subjects, key_for=other_project).values
    assert sum(a == b for a, b in zip(here, there, strict=True)) < 20


def test_kinds_are_chosen_apart() -> None:
    """Who knows the name behind one surrogate must not know the place behind another."""
    subjects = [f"C-{n}" for n in range(400)]
    by_place: dict[str, set[str]] = {}
    places = treat(declared("place"), subjects, subjects).values.to_pylist()
    for place, name in zip(places, treat(declared(), subjects, subjects).values.to_pylist(), strict=True):
        by_place.setdefault(place, set()).add(name)
    assert max(len(names) for names in by_place.values()) > 1


def test_by_value_the_same_value_has_one_surrogate_and_other_values_have_others() -> None:
    shown = declared("phone", by="value")
    assert treatment_of(shown).beside == ()
    one, same, other, none = treat(shown, ["98765 43210", "+91 9876543210", "98765 43211", None]).values.to_pylist()
    assert one == same != other
    assert none is None


def test_a_cell_of_another_shape_gets_a_surrogate_and_is_counted() -> None:
    treated = treat(declared("email"), ["a@b.example", "unknown", None, "", "c@d.example"], [*"ABCD", None])
    assert [value is not None for value in treated.values.to_pylist()] == [True, True, False, False, False]
    assert treated.unknown == 2


@settings(max_examples=40, deadline=None)
@given(cells=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=6))
@pytest.mark.parametrize("kind", ["person_name", "phone", "email"])
def test_any_text_gets_one_and_only_a_missing_cell_has_none(kind: str, cells: list[str | None]) -> None:
    treated = treat(declared(kind, by="value"), cells)
    missing = [cell is None or cell.strip() in {"", "NA"} for cell in cells]
    assert treated.values.is_null().to_pylist() == missing


def test_batches_and_partitions_do_not_matter() -> None:
    columns = {
        **COLUMNS,
        "name": column(treatment={"kind": "surrogate"}, entity="person_name", level="direct", use="review"),
    }
    shown = policy(columns)
    tables = [
        Masking(shown, key_for=key_for).apply(raw(ROWS, shown, batch_size=size)).read(["name"]).combine_chunks()
        for size in (1, 2, 100)
    ]
    assert tables[0] == tables[1] == tables[2]
    assert tables[0]["name"][0] == tables[0]["name"][2]


@pytest.mark.parametrize("locale", LOCALES)
def test_every_kind_can_be_invented_in_every_locale(locale: SurrogateLocale) -> None:
    for kind in DRAWN:
        drawn = draw(kind, locale, draws=40)  # type: ignore[arg-type]
        assert len(set(drawn)) > 10, kind
        assert all(text == text.strip() and text and "\n" not in text for text in drawn)
        if kind == "email":
            assert all(re.fullmatch(r"[a-z0-9._-]+", text) for text in drawn)
    phones = treat(declared("phone", locale=locale, by="value"), [str(n) for n in range(50)]).values.to_pylist()
    assert len(set(phones)) > 30


@pytest.mark.parametrize(
    ("locale", "form"),
    [
        ("en_IN", r"\+91 000\d\d \d{5}"), ("hi_IN", r"\+91 000\d\d \d{5}"), ("en_GB", r"\+44 7700 900 \d{3}"),
        ("en_US", r"\+1 \d{3} 555 01\d\d"), ("fr_CA", r"\+1 \d{3} 555 01\d\d"), ("ja_JP", r"\+999 \d{10}"),
        ("fr_FR", r"\+33 6 39 98 \d\d \d\d"), ("de_CH", r"\+999 \d{10}"),
    ],
)  # fmt: skip
def test_no_telephone_number_and_no_mail_address_is_anybodys(locale: str, form: str) -> None:
    cells = [str(n) for n in range(300)]
    assert all(
        re.fullmatch(form, phone)
        for phone in treat(declared("phone", locale=locale, by="value"), cells).values.to_pylist()
    )
    assert all(mail.endswith("@example.org") for mail in treat(declared("email", by="value"), cells).values.to_pylist())


def test_dates_of_birth_are_dates_of_adults() -> None:
    subjects = [str(n) for n in range(3000)]
    born = treat(declared("date_of_birth"), ["1990-01-01"] * 3000, subjects).values.to_pylist()
    assert min(born) >= date(1940, 1, 1)
    assert max(born) <= date(2004, 12, 31)
    assert len({day.year for day in born}) == 65


def test_a_value_that_was_not_replaced_is_found() -> None:
    wrong = {
        "person_name": ["Zubeida Quraishi X"],
        "email": ["asha@mail.example", "asha@example.org", "nobody at all.123456@example.org"],
        "phone": ["98765 43210", "+91 98765 43210", "98765 43210, +91 00012 34567", "+91 00012 34567 or 98765 43210"],
        "postal_address": ["14 Lotus Lane, Shimoga"],
        "employer": ["Orchid Mills X"],
        "place": ["14 Lotus Lane"],
    }
    spec = Surrogate(kind="surrogate")
    for entity, cells in wrong.items():
        assert count_untreated(pa.array([*cells, None]), spec, Entity(entity)) == len(cells), entity
    days = pa.array([date(1939, 12, 31), date(2005, 1, 1), date(1990, 1, 1)], pa.date32())
    assert count_untreated(days, spec, Entity.DATE_OF_BIRTH) == 2


SURROGATES = {
    name: column(treatment={"kind": "surrogate"}, entity=entity, level="direct", use="review")
    for name, entity in (("name", "person_name"), ("email", "email"), ("phone", "phone"), ("address", "postal_address"))
}


def test_invented_identifiers_are_no_residual_ones_and_real_ones_still_are() -> None:
    shown = policy({**COLUMNS, **SURROGATES})
    rows = [{**ROWS[0], "customer": f"C-{n}"} for n in range(200)]
    masked = Masking(shown, key_for=key_for).apply(raw(rows, shown))
    emails = masked.read(["email"])["email"].to_pylist()
    assert all(find_spans(email) for email in emails[:5]), "what is invented must look real, or this shows nothing"
    assert inspect(masked, shown).passed

    kept = policy({**COLUMNS, **SURROGATES, "email": column(entity="email", level="quasi", use="review")})
    found = inspect(Masking(kept, key_for=key_for).apply(raw(rows, kept)), shown)
    assert found.untreated == {"email": 200}
    assert found.residual == {"email": {Entity.EMAIL: 200}}


def test_the_subjects_label_flows_in_and_a_pseudonym_comes_out_that_is_no_feature() -> None:
    shown = declared("place")
    plan = plan_without_keys(shown)
    assert plan.reads("x") == ("x", "customer") == ("x", *shown.beside("x"))
    assert plan.labels(shown)["x"].identifiability is Identifiability.PSEUDONYM
    feature = {"kind": "feature", "reason": "the purpose needs it"}
    with pytest.raises(ValidationError, match="cannot be a feature"):
        policy({**COLUMNS, "x": column(treatment={"kind": "surrogate"}, entity="place", use=feature)})


@pytest.mark.parametrize(
    ("fields", "entity", "kind", "said"),
    [
        ({}, "aadhaar", "string", "nothing is invented for aadhaar"),
        ({}, "none", "string", "nothing is invented for none"),
        ({}, "date_of_birth", "string", "needs type date"),
        ({}, "person_name", "date", "needs type string"),
        ({"by": "value"}, "place", "string", "so few values"),
        ({"by": "value"}, "date_of_birth", "date", "so few values"),
        ({"provider": "aadhaar"}, "none", "string", "provider"),
        ({"locale": "xx_XX"}, "person_name", "string", "locale"),
    ],
)
def test_what_cannot_be_invented_is_refused(fields: dict[str, str], entity: str, kind: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        policy_with({"kind": "surrogate", **fields}, entity=entity, kind=kind)


def test_by_subject_needs_a_subject_and_by_value_does_not() -> None:
    with pytest.raises(ValidationError, match="by: value"):
        policy_with({"kind": "surrogate"}, entity="employer", subject=None)
    assert policy_with({"kind": "surrogate", "by": "value"}, entity="employer", subject=None).beside("x") == ()


def test_a_provider_can_be_named_for_a_column_of_another_entity() -> None:
    shown = policy_with({"kind": "surrogate", "provider": "person_name", "by": "value"}, entity="none")
    assert treat(shown, ["a nickname"]).values == treat(declared(by="value"), ["a nickname"]).values


def test_what_is_invented_hangs_on_nothing_but_the_seed_and_faker_waits_until_it_is_needed() -> None:
    program = (
        "import sys, hashlib\n"
        "from secure_ml.protection.mask import plan, inspection\n"
        "assert 'faker' not in sys.modules\n"
        "from secure_ml.protection.mask.surrogate import draw\n"
        f"made = [draw(kind, locale, draws=30) for kind in {DRAWN!r} for locale in ('en_IN', 'en_GB', 'ja_JP')]\n"
        "print(hashlib.sha256(repr(made).encode()).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] != ""
