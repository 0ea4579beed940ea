"""The finer choices of generalise_date and generalise_geography."""

import math
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from secure_ml.policy.treatments import GeneraliseDate, GeneraliseGeography
from secure_ml.protection.mask.forms import count_untreated
from secure_ml_tests.protection.mask.single import policy_with, treat


def when(to: str, cells: list[Any], **fields: Any) -> list[Any]:
    values: list[Any] = treat(
        policy_with({"kind": "generalise_date", "to": to, **fields}, kind="date"), cells
    ).values.to_pylist()
    return values


def where(cells: list[Any], *, kind: str = "string", entity: str = "none", **fields: Any) -> list[Any]:
    treated = treat(policy_with({"kind": "generalise_geography", **fields}, kind=kind, entity=entity), cells)
    values: list[Any] = treated.values.to_pylist()
    assert treated.unknown == sum(value is None and cell is not None for value, cell in zip(values, cells, strict=True))
    return values


@settings(max_examples=60, deadline=None)
@given(day=st.dates())
def test_quarters_and_weeks_are_those_of_the_calendar(day: date) -> None:
    year, week, _ = day.isocalendar()
    assert when("quarter", [day, None]) == [f"{day.year:04}-Q{(day.month + 2) // 3}", None]
    assert when("week", [day, None]) == [f"{year:04}-W{week:02}", None]


@settings(max_examples=60, deadline=None)
@given(born=st.dates(date(1900, 1, 1), date(2024, 12, 31)), at=st.dates(date(1950, 1, 1), date(2024, 12, 31)))
def test_an_age_is_the_completed_years_and_everybody_old_is_one_group(born: date, at: date) -> None:
    years = at.year - born.year - ((at.month, at.day) < (born.month, born.day))
    assert when("age", [born], at=at.isoformat(), oldest=90) == [None if years < 0 else min(years, 90)]


@pytest.mark.parametrize(
    ("born", "at", "age"),
    [
        ("2000-02-29", "2001-02-28", 0), ("2000-02-29", "2001-03-01", 1), ("2000-02-29", "2004-02-29", 4),
        ("1990-05-05", "1990-05-05", 0), ("1990-05-06", "1990-05-05", None),
    ],
)  # fmt: skip
def test_ages_at_the_edges(born: str, at: str, age: int | None) -> None:
    assert when("age", [born], at=at) == [age]


def test_a_date_that_was_not_generalised_is_found() -> None:
    forms = {
        "quarter": (["2024-Q1", "2024-Q5", "2024-03", "2024-01-01"], 3),
        "week": (["2024-W53", "2024-W00", "2024-W54", "2024-01-01"], 3),
    }
    for to, (cells, wrong) in forms.items():
        assert count_untreated(pa.array(cells), GeneraliseDate(kind="generalise_date", to=to)) == wrong
    age = GeneraliseDate(kind="generalise_date", to="age", at=date(2024, 1, 1), oldest=80)
    assert count_untreated(pa.array([0, 80, 81, -1, None, 1990]), age) == 3
    bands = GeneraliseDate(kind="generalise_date", to="age", at=date(2024, 1, 1), oldest=80, step=10)
    assert count_untreated(pa.array([0, 80, 90, 55, None, 50]), bands) == 2


def test_ages_fall_to_the_first_of_their_band() -> None:
    born = ["2023-06-01", "2014-01-01", "2014-01-02", "1984-05-05", "1930-01-01", "2025-01-01"]
    assert when("age", born, at="2024-01-01", step=10) == [0, 10, 0, 30, 90, None]
    assert when("age", born, at="2024-01-01", step=20, oldest=70) == [0, 0, 0, 20, 60, None]


@pytest.mark.parametrize(
    "fields", [{"to": "age"}, {"to": "year", "at": "2024-01-01"}, {"to": "day"}, {"to": "year", "step": 5}]
)
def test_a_day_is_named_for_an_age_and_for_nothing_else(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        GeneraliseDate.model_validate({"kind": "generalise_date", **fields})


@pytest.mark.parametrize(
    ("fields", "cell", "region"),
    [
        ({"drop_last": 3}, "SW1A 1AA", "SW1A"), ({"drop_last": 3}, "m1 1aa", "M1"), ({"drop_last": 3}, "1AA", None),
        ({"drop_last": 3}, "London", None), ({"drop_last": 3}, "SW1A 1AA and more", None),
        ({"drop_last": 3}, "12345678", None), ({"drop_last": 2}, "1012 AB", "1012"),
        ({"keep_first": 3}, "94103-1234", "941"), ({"keep_first": 3}, "K1A 0B1", "K1A"),
        ({"keep_first": 2}, "75001", "75"), ({"keep_first": 4}, "01310-100", "0131"),
    ],
)  # fmt: skip
def test_postal_codes_of_other_countries(fields: dict[str, int], cell: str, region: str | None) -> None:
    assert where([cell, None], **fields) == [region, None]


REGIONS = {"north": ["1", "2"], "west": ["3", "4"], "capital": ["11"]}


@pytest.mark.parametrize(
    ("cell", "region"),
    [("110013", "capital"), ("1600 23", "north"), ("411-038", "west"), ("682052", None), ("Delhi", None), ("11", None)],
)
def test_the_longest_first_characters_decide_on_the_region(cell: str, region: str | None) -> None:
    assert where([cell, None], regions=REGIONS) == [region, None]


@pytest.mark.parametrize("regions", [{}, {"north": []}, {"north": ["1"], "west": ["1"]}, {"north": ["12345"]}])
def test_regions_that_decide_nothing_are_refused(regions: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError):
        GeneraliseGeography.model_validate({"kind": "generalise_geography", "regions": regions})


@pytest.mark.parametrize(
    ("decimals", "cell", "place"),
    [
        (1, "12.9716, 77.5946", "13.0, 77.6"), (0, "12.9716,77.5946", "13, 78"),
        (2, "(-33.866; 151.209)", "-33.87, 151.21"), (0, "0.5, 1.5", "0, 2"),
        (1, "-0.04 0.04", "0.0, 0.0"), (1, "90, 180", "90.0, 180.0"), (1, "90.01, 5", None), (1, "5, 181", None),
        (1, "12.9716", None), (1, "here, there", None), (1, "1e1, 2", None), (1, "12.9°, 77.5°", "12.9, 77.5"),
        (1, "१२.९७, ७७.५९", "13.0, 77.6"),
    ],
)  # fmt: skip
def test_a_pair_of_coordinates(decimals: int, cell: str, place: str | None) -> None:
    assert where([cell, None], entity="geo_coordinates", decimals=decimals) == [place, None]


def test_a_coordinate_of_its_own() -> None:
    made = where(["77.5946", "-0.01", "180", "180.1", "x", None], kind="number", decimals=1)
    assert made == [77.6, 0.0, 180.0, None, None, None]
    assert math.copysign(1, made[1]) == 1, "two zeros would be two values"


@settings(max_examples=60, deadline=None)
@given(latitude=st.floats(-90, 90), longitude=st.floats(-180, 180), decimals=st.integers(0, 2))
def test_a_place_moves_by_half_a_step_at_most(latitude: float, longitude: float, decimals: int) -> None:
    [pair] = where([f"{latitude:.12f}, {longitude:.12f}"], decimals=decimals)
    shown = [float(part) for part in pair.split(", ")]
    assert all(abs(a - b) <= 0.5 * 10**-decimals + 1e-9 for a, b in zip(shown, (latitude, longitude), strict=True))


def test_a_place_that_was_not_generalised_is_found() -> None:
    pair = GeneraliseGeography(kind="generalise_geography", decimals=1)
    assert count_untreated(pa.array(["12.9, 77.6", "12.97, 77.59", "12, 77", "home", None]), pair) == 3
    assert count_untreated(pa.array([12.9, 12.97, 77.6, None, 999.0]), pair) == 2
    british = GeneraliseGeography(kind="generalise_geography", drop_last=3)
    assert count_untreated(pa.array(["SW1A", "SW1A1AA", "SW1A 1AA", None]), british) == 2
    region = GeneraliseGeography.model_validate({"kind": "generalise_geography", "regions": REGIONS})
    assert count_untreated(pa.array(["west", "411", "north", None]), region) == 1


@pytest.mark.parametrize(
    "fields", [{}, {"keep_first": 3, "drop_last": 3}, {"keep_first": 3, "decimals": 1}, {"decimals": 3}]
)
def test_exactly_one_way_is_declared(fields: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        GeneraliseGeography.model_validate({"kind": "generalise_geography", **fields})


def test_coordinates_need_a_type_that_holds_them() -> None:
    with pytest.raises(ValidationError, match="type number, or string"):
        policy_with({"kind": "generalise_geography", "decimals": 1}, kind="integer")


def test_the_last_day_of_a_year_may_lie_in_the_first_week_of_the_next() -> None:
    assert when("week", [date(2024, 12, 31), date(2027, 1, 1)]) == ["2025-W01", "2026-W53"]
    assert when("quarter", [date(2024, 12, 31) + timedelta(days=1)]) == ["2025-Q1"]
