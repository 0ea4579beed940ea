"""The page for choosing a treatment: it lists what there is, says of each what holds, and its examples work."""

import re
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from secure_ml.policy.columns import ColumnPolicy
from secure_ml.policy.treatments import TREATMENTS, Leaves
from secure_ml.protection.mask.plan import plan_without_keys
from secure_ml_tests.docs.pages import ROOT, blocks
from secure_ml_tests.protection.mask.every_kind import SPECS, TYPES
from secure_ml_tests.protection.mask.tables import COLUMNS, policy

PAGE = ROOT / "docs" / "treatments.md"
_LABELS = {
    Leaves.UNCHANGED: "as it was",
    Leaves.QUASI_AT_MOST: "quasi-identifier at most",
    Leaves.PSEUDONYM: "pseudonym",
    Leaves.NOTHING: "nothing",
}


def table() -> dict[str, list[str]]:
    """The other cells of each row, by treatment."""
    lines = PAGE.read_text(encoding="utf-8").partition("## All treatments")[2].partition("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in rows}


def test_the_table_lists_exactly_the_treatments_of_the_policy() -> None:
    assert sorted(table()) == sorted(TREATMENTS)


@pytest.mark.parametrize("kind", TREATMENTS)
def test_the_table_says_what_the_code_declares(kind: str) -> None:
    _, label, back, feature, weakness = table()[kind]
    assert label == _LABELS[TREATMENTS[kind].leaves]
    assert back == ("-" if kind == "keep" else "yes" if TREATMENTS[kind].reversible else "no")
    assert feature == ("yes" if may_be_a_feature(kind) else "no")
    assert len(weakness) > 20


def may_be_a_feature(kind: str) -> bool:
    declaration: dict[str, Any] = {
        "description": "an invented column", "type": TYPES.get(kind, "string"), "category": "pii",
        "identifiability": "quasi", "treatment": {**SPECS[kind][0], "kind": kind},
    }  # fmt: skip
    ColumnPolicy.model_validate({**declaration, "use": {"kind": "never"}})
    try:
        ColumnPolicy.model_validate({**declaration, "use": {"kind": "feature", "reason": "the purpose needs it"}})
    except ValidationError:
        return False
    return True


def test_every_example_is_a_policy() -> None:
    columns = [yaml.safe_load("\n".join(block.lines)) for block in blocks(PAGE) if block.kind == "yaml"]
    merged = {name: declared for example in columns for name, declared in example.items()}
    assert len(merged) == sum(map(len, columns)) > 8
    declared = policy({**COLUMNS, **merged})
    assert set(merged) <= set(plan_without_keys(declared).treatments)


def test_the_figures_of_the_pool_are_those_of_the_pool() -> None:
    from secure_ml.protection.mask.surrogate import pool

    words = PAGE.read_text(encoding="utf-8")
    [(names, places)] = re.findall(r"([\d,]+) names and ([\d,]+) places", words)
    assert len(pool("person_name", "en_IN")) == int(names.replace(",", ""))
    assert len(pool("place", "en_IN")) == int(places.replace(",", ""))
