"""Values cut off at the policy's bounds."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from secure_ml.policy.labels import Identifiability
from secure_ml.policy.treatments import TopBottomCode
from secure_ml.protection.mask.forms import count_untreated
from secure_ml.protection.mask.plan import plan_without_keys
from secure_ml_tests.protection.mask.single import policy_with, treat
from secure_ml_tests.protection.mask.tables import COLUMNS, column, policy


def spec(**bounds: Any) -> dict[str, Any]:
    return {"kind": "top_bottom_code", **bounds}


@pytest.mark.parametrize(
    ("kind", "bounds", "cells", "coded"),
    [
        ("number", {"bottom": 10, "top": 20}, ["9.99", "10", "15.5", "20", "1e300", "-₹5"], [10, 10, 15.5, 20, 20, 10]),
        ("number", {"top": 0.5}, ["-3", "0.4999", "0.5001"], [-3, 0.4999, 0.5]),
        ("integer", {"bottom": 18, "top": 90}, ["0", "18", "45", "104"], [18, 18, 45, 90]),
        ("integer", {"bottom": 0}, ["-1", "9007199254740993"], [0, 9007199254740993]),
        (
            "date", {"bottom": "1934-01-01", "top": date(2006, 1, 1)}, ["1901-05-06", "1990-12-01", "25/03/2024"],
            [date(1934, 1, 1), date(1990, 12, 1), date(2006, 1, 1)],
        ),
    ],
)  # fmt: skip
def test_values_beyond_a_bound_are_given_as_the_bound(
    kind: str, bounds: dict[str, Any], cells: list[str], coded: list[Any]
) -> None:
    treated = treat(policy_with(spec(**bounds), kind=kind), [*cells, None, "", "unknown"])
    assert treated.values.to_pylist() == [*coded, None, None, None]
    assert treated.unknown == 1


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(st.none() | st.floats() | st.integers(-(2**53), 2**53).map(float), max_size=6))
def test_nothing_beyond_the_bounds_leaves_whatever_the_numbers_are(cells: list[float | None]) -> None:
    made = treat(policy_with(spec(bottom=-5, top=5), kind="number"), pa.array(cells, pa.float64())).values.to_pylist()
    assert all(value is None or -5 <= value <= 5 for value in made)


def test_a_value_that_was_not_cut_off_is_found() -> None:
    declared = TopBottomCode.model_validate(spec(bottom=0, top=10))
    assert count_untreated(pa.array([0.0, 10.0, None, 11.0, -0.5]), declared) == 2
    assert count_untreated(pa.array([3, None, 11]), declared) == 1


def test_what_stands_between_the_bounds_is_exact_so_the_label_stays() -> None:
    declared = policy({**COLUMNS, "x": column("number", spec(top=5), level="pseudonym")})
    assert plan_without_keys(declared).labels(declared)["x"].identifiability is Identifiability.PSEUDONYM
    with pytest.raises(ValidationError, match="direct identifier"):
        policy({**COLUMNS, "x": column("number", spec(top=5), level="direct")})


@pytest.mark.parametrize(
    ("kind", "bounds", "said"),
    [
        ("number", {}, "give bottom, top or both"),
        ("number", {"bottom": 5, "top": 5}, "bottom must be below top"),
        ("date", {"bottom": "2024-01-01", "top": "2023-01-01"}, "bottom must be below top"),
        ("number", {"bottom": 5, "top": "2023-01-01"}, "both numbers or both dates"),
        ("number", {"top": float("inf")}, "finite number"),
        ("number", {"bottom": float("nan")}, "finite number"),
        ("number", {"top": "2023-01-01"}, "bounds of top_bottom_code are dates for type date"),
        ("date", {"top": 7}, "bounds of top_bottom_code are dates for type date"),
        ("integer", {"top": 7.5}, "whole numbers"),
        ("integer", {"top": 1e300}, "whole numbers"),
        ("string", {"top": 7}, "needs type integer, number or date"),
    ],
)
def test_bounds_that_are_none_are_refused(kind: str, bounds: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        policy_with(spec(**bounds), kind=kind)
