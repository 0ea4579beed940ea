"""What holds for any text in any treatment."""

from functools import cache
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from secure_ml.policy.columns import FEW_VALUES
from secure_ml.policy.labels import Entity
from secure_ml.policy.project import Policy
from secure_ml.protection.mask.canonical import canonical
from secure_ml.protection.mask.forms import count_untreated
from secure_ml.protection.mask.masking import Masking
from secure_ml.protection.mask.plan import make_plan
from secure_ml.protection.mask.treatment import REDACTED, ColumnTreatment
from secure_ml.protection.parse import as_text
from secure_ml_tests.protection.mask.tables import COLUMNS, column, key_for, policy, raw

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LIKELY = st.text(st.sampled_from("0123456789 -+.@aBcXyZ*₹,/अé٣"), max_size=20)
CELLS = st.lists(st.none() | TEXT | LIKELY, max_size=8)
SPECS: list[dict[str, Any]] = [
    {"kind": "redact"},
    {"kind": "partial_mask"},
    {"kind": "partial_mask", "keep_last": 4},
    {"kind": "partial_mask", "keep_first": 2, "keep_last": 2},
    {"kind": "token"},
    {"kind": "token", "algorithm": "hmac_sha256"},
    {"kind": "format_preserving"},
    {"kind": "deterministic_encryption"},
    {"kind": "generalise_geography", "keep_first": 4},
    {"kind": "generalise_date", "to": "month"},
    {"kind": "generalise_date", "to": "year"},
    {"kind": "generalise_number", "step": 7},
    {"kind": "generalise_number", "cuts": (0, 10, 1000)},
]
TYPES = {"generalise_date": "date", "generalise_number": "number"}
PSEUDONYMS = {"token", "format_preserving", "deterministic_encryption"}
REFUSED = {entity.value for entity in (*FEW_VALUES, Entity.FREE_TEXT)}
ENTITIES = ["none", "phone", "email", "aadhaar", "pin_code", "person_name"]


def name_of(spec: dict[str, Any]) -> str:
    return "-".join(map(str, spec.values()))


NAMED = {name_of(spec): spec for spec in SPECS}


@cache
def declared(name: str, entity: str) -> Policy:
    spec = NAMED[name]
    return policy({**COLUMNS, "x": column(TYPES.get(spec["kind"], "string"), spec, entity=entity)})


def is_declarable(name: str, entity: str) -> bool:
    """Whether a policy may treat that entity so."""
    return NAMED[name]["kind"] not in PSEUDONYMS or entity not in REFUSED


@cache
def treatment_of(name: str, entity: str = "none") -> ColumnTreatment:
    return make_plan(declared(name, entity), key_for=key_for).treatments["x"]


@pytest.mark.parametrize("name", NAMED)
@settings(max_examples=50, deadline=None)
@given(cells=CELLS, entity=st.sampled_from(ENTITIES))
def test_any_text_survives_and_keeps_its_place(name: str, cells: list[str | None], entity: str) -> None:
    assume(is_declarable(name, entity))
    treatment = treatment_of(name, entity)
    texts = as_text(pa.array(cells, pa.string()), missing=("", "NA"))
    treated = treatment.apply(pa.array(cells, pa.string()))
    assert len(treated.values) == len(cells)
    assert treated.values.type == treatment.output_type
    assert all(not out.is_valid for text, out in zip(texts, treated.values, strict=True) if not text.is_valid)
    assert treated.values.null_count - texts.null_count <= treated.unknown <= len(cells) - texts.null_count
    assert count_untreated(treated.values, declared(name, entity).columns["x"].treatment) == 0


@pytest.mark.parametrize("name", [name for name in NAMED if name != "generalise_date-year" and "number" not in name])
@settings(max_examples=50, deadline=None)
@given(cell=TEXT | LIKELY, entity=st.sampled_from(ENTITIES))
def test_no_cell_stands_in_what_was_made_of_it(name: str, cell: str, entity: str) -> None:
    assume(len(cell) >= 5 and cell not in REDACTED and is_declarable(name, entity))
    out = treatment_of(name, entity).apply(pa.array([cell])).values[0].as_py()
    assert out is None or cell not in out


@settings(max_examples=100, deadline=None)
@given(first=TEXT | LIKELY, second=TEXT | LIKELY, entity=st.sampled_from(Entity).filter(lambda one: one not in REFUSED))
def test_tokens_are_equal_exactly_when_canonical_values_are(first: str, second: str, entity: Entity) -> None:
    cells = pa.array([first, second])
    texts = as_text(cells, missing=("", "NA"))
    assume(texts.null_count == 0)
    one, other = treatment_of("token", entity.value).apply(cells).values.to_pylist()
    canon = canonical(texts, entity).to_pylist()
    assert (one == other) == (canon[0] == canon[1])
    assert canonical(canonical(texts, entity), entity).to_pylist() == canon


@settings(max_examples=40, deadline=None)
@given(cell=LIKELY.filter(str.strip))
def test_one_text_has_another_token_in_every_entity(cell: str) -> None:
    assume(cell.strip() != "NA")
    entities = [entity for entity in ENTITIES if entity not in REFUSED]
    made = [treatment_of("token", entity).apply(pa.array([cell])).values[0].as_py() for entity in entities]
    assert len(set(made)) == len(entities) > 4


ROW = st.fixed_dictionaries(
    {
        "customer": st.sampled_from(["C1", "C2", "", None]),
        "agreed": st.sampled_from(["Y", "Y", "N", None]),
        "approved": st.sampled_from(["approved", "refused", None]),
    }
    | {name: st.none() | TEXT | LIKELY for name in ("name", "phone", "born", "income", "remark", "pin", "salaried")}
)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(ROW, max_size=8), size=st.integers(1, 8))
def test_batches_do_not_matter_and_only_consenting_rows_get_through(rows: list[dict[str, Any]], size: int) -> None:
    whole, parted = Masking(policy(), key_for=key_for), Masking(policy(), key_for=key_for)
    table = whole.apply(raw(rows)).read().combine_chunks()
    assert parted.apply(raw(rows, batch_size=size)).read().combine_chunks().equals(table)
    assert parted.summary() == whole.summary()
    assert table.num_rows == sum(row["agreed"] == "Y" and bool(row["customer"]) for row in rows)


NAMES = st.text("abcdefghijklmnopqrstuvwxyz", min_size=6, max_size=12)


@settings(max_examples=40, deadline=None)
@given(
    name=NAMES, family=NAMES, phone=st.from_regex(r"[6-9][0-9]{9}", fullmatch=True), gap=st.sampled_from(["", " ", "-"])
)
def test_no_identifier_of_the_row_is_left_in_its_remark(name: str, family: str, phone: str, gap: str) -> None:
    remark = f"spoke with {name.upper()} ({family}) on {phone[:5]}{gap}{phone[5:]} today"
    row = {"customer": "C1", "agreed": "Y", "name": f"{name} {family}", "phone": phone, "remark": remark}
    scrubbed = Masking(policy(), key_for=key_for).apply(raw([row])).read(["remark"])["remark"][0].as_py()
    assert not any(piece in scrubbed.lower().replace(gap or " ", "") for piece in (name, family, phone, phone[5:]))
