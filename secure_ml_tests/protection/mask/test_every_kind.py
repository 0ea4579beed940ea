"""What holds for every treatment, whatever it does."""

from functools import cache
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.policy.project import Policy
from secure_ml.policy.treatments import TREATMENTS, Leaves
from secure_ml.protection.mask.describe import describe_treatment
from secure_ml.protection.mask.forms import count_untreated
from secure_ml.protection.mask.plan import Plan, make_plan
from secure_ml.protection.parse import as_text
from secure_ml.vault.labels import DECLASSIFIERS, declassifier_of
from secure_ml_tests.protection.mask.every_kind import SPECS, TYPES
from secure_ml_tests.protection.mask.tables import COLUMNS, column, key_for, policy

CASES = [
    (kind, number) for kind, specs in SPECS.items() if kind in TREATMENTS for number, _ in enumerate(specs)
]  # fmt: skip
MADE = [case for case in CASES if case[0] != "drop"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LIKELY = st.sampled_from(
    ["1", "2", "a", "é", "e\u0301", "2024-02-29", "9999-12-31", "0001-01-01", "577201", "SW1A 1AA"]
)
CELLS = st.lists(st.tuples(st.none() | TEXT | LIKELY, st.none() | st.sampled_from(["C1", " C1", "C2", ""])), max_size=7)


@cache
def declared(kind: str, number: int) -> Policy:
    entity = "free_text" if kind == "scrub_text" else "none"
    return policy(
        {**COLUMNS, "x": column(TYPES.get(kind, "string"), {**SPECS[kind][number], "kind": kind}, entity=entity)}
    )


@cache
def plan(kind: str, number: int) -> Plan:
    return make_plan(declared(kind, number), key_for=key_for)


def columns_of(cells: list[tuple[str | None, str | None]], reads: tuple[str, ...]) -> list[pa.Array]:
    """The column itself, the subject where it is read, and nothing in the others."""
    own, subjects = ([cell[i] for cell in cells] for i in (0, 1))
    by_name: dict[str, list[Any]] = {"x": own, "customer": subjects}
    return [pa.array(by_name.get(name, [None] * len(cells)), pa.string()) for name in reads]


def test_every_treatment_of_the_policy_has_a_case() -> None:
    assert set(TREATMENTS) <= set(SPECS)


@pytest.mark.parametrize(("kind", "number"), MADE)
@settings(max_examples=25, deadline=None)
@given(cells=CELLS, cut=st.integers(0, 7))
def test_a_cell_hangs_on_its_own_row_only_and_a_missing_one_stays_missing(
    kind: str, number: int, cells: list[tuple[str | None, str | None]], cut: int
) -> None:
    treatment, reads = plan(kind, number).treatments["x"], plan(kind, number).reads("x")
    columns = columns_of(cells, reads)
    whole = treatment.apply(*columns)
    parts = [treatment.apply(*(c.slice(*bounds) for c in columns)) for bounds in ((0, cut), (cut,))]
    assert pa.concat_arrays([part.values for part in parts]).equals(whole.values)
    assert sum(part.unknown for part in parts) == whole.unknown
    backwards = treatment.apply(*columns_of(cells[::-1], reads))
    assert backwards.values.to_pylist() == whole.values.to_pylist()[::-1]

    texts = as_text(columns[0], missing=("", "NA"))
    lost = whole.values.null_count - texts.null_count
    assert all(not out.is_valid for text, out in zip(texts, whole.values, strict=True) if not text.is_valid)
    assert 0 <= lost <= whole.unknown <= len(cells) - texts.null_count
    spec = declared(kind, number).columns["x"]
    assert count_untreated(whole.values, spec.treatment, spec.entity) == 0
    assert whole.values.type == treatment.output_type


@pytest.mark.parametrize(("kind", "number"), MADE)
def test_what_a_treatment_looks_at_is_what_the_kernel_reckons_with(kind: str, number: int) -> None:
    assert plan(kind, number).reads("x") == ("x", *declared(kind, number).beside("x"))


@pytest.mark.parametrize(("kind", "number"), MADE)
def test_a_treatment_lowers_labels_exactly_as_it_declares(kind: str, number: int) -> None:
    declassifier = declassifier_of(plan(kind, number).treatments["x"])
    if TREATMENTS[kind].leaves is Leaves.UNCHANGED:
        assert declassifier is None
        assert kind not in DECLASSIFIERS
    else:
        assert declassifier is DECLASSIFIERS[kind]


@pytest.mark.parametrize(("kind", "number"), CASES)
def test_a_treatment_is_described_in_words_of_its_own(kind: str, number: int) -> None:
    words = describe_treatment(declared(kind, number).columns["x"])
    assert len(words) > 5
    assert [one for one in CASES if describe_treatment(declared(*one).columns["x"]) == words] == [(kind, number)]


@pytest.mark.parametrize(
    ("kind", "spec", "words"),
    [
        ("date", {"kind": "generalise_date", "to": "week"}, "year and week only"),
        (
            "date",
            {"kind": "generalise_date", "to": "age", "at": "2024-06-30"},
            "age on 2024-06-30, 90 and above as one",
        ),
        ("string", {"kind": "generalise_geography", "drop_last": 3}, "region (without the last 3 characters)"),
        ("number", {"kind": "generalise_geography", "decimals": 1}, "degrees with 1 decimal"),
        ("string", {"kind": "generalise_category", "groups": {"a": ["x"], "b": ["y"]}}, "one of 2 groups"),
        ("string", {"kind": "generalise_category", "stay": ["a", "b"]}, "one of 2 values, all else as one"),
        (
            "date",
            {"kind": "generalise_date", "to": "age", "at": "2024-06-30", "step": 5},
            "age in bands of 5 years on 2024-06-30, 90 and above as one",
        ),
        ("number", {"kind": "top_bottom_code", "bottom": 1.5, "top": 90}, "cut off below 1.5 and above 90"),
        ("date", {"kind": "top_bottom_code", "bottom": "1934-01-01"}, "cut off below 1934-01-01"),
        ("date", {"kind": "date_shift", "max_days": 30}, "moved by up to 30 days, all dates of a subject alike"),
        ("string", {"kind": "surrogate", "provider": "person_name"}, "an invented person name for each subject"),
    ],
)
def test_the_words_for_a_treatment(kind: str, spec: dict[str, Any], words: str) -> None:
    assert describe_treatment(policy({**COLUMNS, "x": column(kind, spec)}).columns["x"]) == words
