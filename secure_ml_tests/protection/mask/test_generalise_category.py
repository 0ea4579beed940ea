"""Categories by the policy's own hierarchy."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from secure_ml.policy.treatments import GeneraliseCategory
from secure_ml.protection.mask.forms import count_untreated
from secure_ml_tests.protection.mask.single import policy_with, treat

WORK = {
    "salaried": ["private", "public"],
    "own account": ["trader", "farmer", "Café"],
    "in work": ["salaried", "own account"],
    "not in work": ["student"],
}


def spec(**fields: Any) -> dict[str, Any]:
    return {"kind": "generalise_category", "groups": WORK, **fields}


@pytest.mark.parametrize(
    ("level", "cell", "group"),
    [
        (1, "private", "salaried"), (1, " trader ", "own account"), (1, "student", "not in work"),
        (2, "private", "in work"), (2, "farmer", "in work"), (2, "student", "not in work"),
        (9, "private", "in work"), (1, "Cafe\u0301", "own account"),
    ],
)  # fmt: skip
def test_a_value_becomes_its_group_so_many_steps_up_and_never_past_the_top(level: int, cell: str, group: str) -> None:
    treated = treat(policy_with(spec(level=level)), [cell, None, ""])
    assert treated.values.to_pylist() == [group, None, None]
    assert treated.unknown == 0


@pytest.mark.parametrize("cell", ["astronaut", "PRIVATE", "salaried", "in work", "privat", "private; public"])
@pytest.mark.parametrize("otherwise", [None, "other"])
def test_what_is_listed_nowhere_is_counted_and_shows_nothing_of_itself(cell: str, otherwise: str | None) -> None:
    treated = treat(policy_with(spec(otherwise=otherwise)), [cell, "trader", None])
    assert treated.values.to_pylist() == [otherwise, "own account", None]
    assert treated.unknown == 1


@settings(max_examples=50, deadline=None)
@given(
    cells=st.lists(st.none() | st.text(max_size=12) | st.sampled_from(["private", "student", "in work"]), max_size=6)
)
def test_nothing_but_a_group_leaves(cells: list[str | None]) -> None:
    cells = [None if cell is None else cell.encode("utf-8", "replace").decode() for cell in cells]
    made = treat(policy_with(spec()), cells).values.to_pylist()
    assert set(made) <= {"salaried", "own account", "not in work", None}


def test_a_value_that_was_not_generalised_is_found() -> None:
    declared = GeneraliseCategory.model_validate(spec(otherwise="other"))
    assert count_untreated(pa.array(["salaried", "private", "other", None, "in work"]), declared) == 2


def test_it_may_be_a_feature_with_its_groups_as_categories() -> None:
    feature = {"kind": "feature", "reason": "the purpose needs it", "categories": ["salaried", "own account"]}
    declared = policy_with(spec())
    columns = {"x": {**declared.columns["x"].model_dump(), "use": feature}}
    assert type(declared.columns["x"]).model_validate(columns["x"]).use.kind == "feature"


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"a": ["x"], "b": ["x"]}, "one group only"),
        ({"a": ["x", "x"]}, "one group only"),
        ({"a": []}, "at least one value"),
        ({"a": ["b"], "b": ["a"]}, "among its own groups"),
        ({"a": ["a"]}, "among its own groups"),
        ({"a": ["b"], "b": ["c", "x"], "c": ["a"]}, "among its own groups"),
        ({}, "give groups, or values that stay"),
    ],
)
def test_a_hierarchy_that_is_none_is_refused(groups: dict[str, list[str]], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GeneraliseCategory.model_validate({"kind": "generalise_category", "groups": groups})


def test_values_that_stay_are_all_that_is_left_of_the_others() -> None:
    declared = {"kind": "generalise_category", "stay": ["north", "south"], "otherwise": "elsewhere"}
    treated = treat(policy_with(declared), [" north", "south", "a hut of one's own", None])
    assert treated.values.to_pylist() == ["north", "south", "elsewhere", None]
    assert treated.unknown == 1
    spec = GeneraliseCategory.model_validate(declared)
    assert count_untreated(pa.array(["north", "elsewhere", "a hut of one's own", None]), spec) == 1


@pytest.mark.parametrize(
    "fields", [{"stay": ["a", "a"]}, {"stay": ["x"], "groups": {"a": ["x"]}}, {"stay": [], "groups": {}}]
)
def test_a_value_stays_or_is_grouped_and_not_both(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"stays?"):
        GeneraliseCategory.model_validate({"kind": "generalise_category", **fields})


def test_codes_are_declared_as_text() -> None:
    with pytest.raises(ValidationError, match="needs type string"):
        policy_with({"kind": "generalise_category", "groups": {"low": ["1", "2"]}}, kind="integer")
