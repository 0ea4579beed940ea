"""Parsing of raw cells."""

import datetime
import decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_ml.policy.columns import ColumnType
from secure_ml.protection.parse import ARROW_TYPES, Parsed, UnsupportedColumnType, as_text, parse

MISSING = ("", "NA")


def parsed(cells: list[Any], to: ColumnType, kind: pa.DataType | None = None) -> Parsed:
    return parse(pa.array(cells, kind or pa.string()), to, missing=MISSING)


NUMBERS: list[tuple[str, float]] = [
    ("45000", 45000), ("45,000", 45000), ("₹52000", 52000), ("1,23,456.50", 123456.5), ("1,234,567", 1234567),
    ("Rs. 1,000/-", 1000), ("INR5", 5), ("₹ 12", 12), ("-5", -5), ("-₹5", -5), ("₹-5", -5), ("+5", 5), (".5", 0.5),
    ("5.", 5), ("1.5e3", 1500), ("-0", 0), (" 7 ", 7), ("४५०००", 45000), ("$1,000.25", 1000.25),
]  # fmt: skip


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_numbers_are_read_as_people_write_them(text: str, number: float) -> None:
    assert parsed([text], ColumnType.NUMBER) == Parsed(pa.array([number], pa.float64()), 0)


@pytest.mark.parametrize(
    "text",
    ["unknown", "1,2", "12,34", "45.000,00", "-₹-5", "+-5", "1e400", "inf", "nan", "--5", "5k", "0x10", "1 2", "12%"],
)
def test_what_is_no_number_is_null_and_counted(text: str) -> None:
    assert parsed([text], ColumnType.NUMBER) == Parsed(pa.array([None], pa.float64()), 1)


@pytest.mark.parametrize(
    ("text", "number"),
    [("45,000", 45000), ("52000.0", 52000), ("007", 7), ("0", 0), ("000", 0), ("-3", -3), ("0" * 30 + "12", 12)],
)
def test_integers_are_read_exactly(text: str, number: int) -> None:
    assert parsed([text], ColumnType.INTEGER) == Parsed(pa.array([number], pa.int64()), 0)


@pytest.mark.parametrize("text", ["1.5", "9" * 19, "1e5", "seven", "NaN"])
def test_what_is_no_integer_is_null_and_counted(text: str) -> None:
    assert parsed([text], ColumnType.INTEGER) == Parsed(pa.array([None], pa.int64()), 1)


def test_booleans_are_read_in_any_case() -> None:
    yes = parsed(["true", "T", "Yes", "y", "1", "ON"], ColumnType.BOOLEAN)
    no = parsed(["False", "f", "NO", "n", "0", "off"], ColumnType.BOOLEAN)
    assert yes.values.to_pylist() == [True] * 6
    assert no.values.to_pylist() == [False] * 6
    assert parsed(["maybe", "2"], ColumnType.BOOLEAN).unparsed == 2


@pytest.mark.parametrize(
    "text",
    ["1990-03-05", "1990/3/5", "19900305", "05/03/1990", "5-3-1990", "05.03.1990", "05-Mar-1990", "5 march 1990",
     "05-MAR-1990", "1990-03-05T10:00:00Z", "05/03/1990 10:15", "०५/०३/१९९०"],
)  # fmt: skip
def test_dates_are_read_day_first_unless_the_year_is_first(text: str) -> None:
    assert parsed([text], ColumnType.DATE) == Parsed(pa.array([datetime.date(1990, 3, 5)]), 0)


def test_month_first_is_tried_only_where_day_first_gives_no_date() -> None:
    dates = parsed(["04/05/1990", "12/31/1990"], ColumnType.DATE).values.to_pylist()
    assert dates == [datetime.date(1990, 5, 4), datetime.date(1990, 12, 31)]


@pytest.mark.parametrize(
    "text", ["29/02/2023", "31-Apr-2020", "05/03/90", "99/99/1990", "0000-01-01", "1-Foo-2020", "unknown", "1990"]
)
def test_what_is_no_date_is_null_and_counted(text: str) -> None:
    assert parsed([text], ColumnType.DATE) == Parsed(pa.array([None], pa.date32()), 1)


@pytest.mark.parametrize("to", list(ColumnType))
def test_missing_cells_are_null_and_not_counted(to: ColumnType) -> None:
    assert parsed(["", " ", "NA", " NA ", None], to) == Parsed(pa.nulls(5, ARROW_TYPES[to]), 0)


def test_strings_are_trimmed() -> None:
    assert parsed([" Asha \t", "\u00a0x"], ColumnType.STRING).values.to_pylist() == ["Asha", "x"]


TYPED: list[tuple[list[Any], pa.DataType, ColumnType, list[Any], int]] = [
    ([1, None], pa.int32(), ColumnType.INTEGER, [1, None], 0),
    ([2**64 - 1, 1], pa.uint64(), ColumnType.INTEGER, [None, 1], 1),
    ([1.0, 1.5, float("nan"), None, float("inf")], pa.float64(), ColumnType.INTEGER, [1, None, None, None, None], 2),
    ([1.5, float("nan"), None, float("inf")], pa.float64(), ColumnType.NUMBER, [1.5, None, None, None], 1),
    ([3], pa.int8(), ColumnType.NUMBER, [3.0], 0),
    ([decimal.Decimal("1.50"), None], pa.decimal128(10, 2), ColumnType.NUMBER, [1.5, None], 0),
    ([9876543210.0, 0.5, None], pa.float64(), ColumnType.STRING, ["9876543210", "0.5", None], 0),
    ([560001], pa.int64(), ColumnType.STRING, ["560001"], 0),
    ([True, None], pa.bool_(), ColumnType.BOOLEAN, [True, None], 0),
    ([1, 0, 2], pa.int64(), ColumnType.BOOLEAN, [True, False, None], 1),
    ([datetime.date(2020, 1, 31)], pa.date32(), ColumnType.DATE, [datetime.date(2020, 1, 31)], 0),
    ([datetime.date(2020, 1, 31)], pa.date64(), ColumnType.DATE, [datetime.date(2020, 1, 31)], 0),
    ([datetime.datetime(2020, 1, 31, 23)], pa.timestamp("us"), ColumnType.DATE, [datetime.date(2020, 1, 31)], 0),
    ([20200131], pa.int64(), ColumnType.DATE, [datetime.date(2020, 1, 31)], 0),
    (["4", "4", None], pa.dictionary(pa.int8(), pa.string()), ColumnType.INTEGER, [4, 4, None], 0),
    (["4"], pa.large_string(), ColumnType.INTEGER, [4], 0),
    ([None], pa.null(), ColumnType.DATE, [None], 0),
    ([], pa.string(), ColumnType.DATE, [], 0),
]


@pytest.mark.parametrize(("cells", "kind", "to", "expected", "unparsed"), TYPED)
def test_columns_that_have_types_already_are_read(
    cells: list[Any], kind: pa.DataType, to: ColumnType, expected: list[Any], unparsed: int
) -> None:
    result = parsed(cells, to, kind)
    assert result.values.type == ARROW_TYPES[to]
    assert (result.values.to_pylist(), result.unparsed) == (expected, unparsed)


def test_a_moment_is_the_day_of_its_own_time_zone() -> None:
    midnight = datetime.datetime(1990, 3, 24, 18, 30, tzinfo=datetime.UTC)
    dates = parsed([midnight], ColumnType.DATE, pa.timestamp("us", "Asia/Kolkata")).values
    assert dates.to_pylist() == [datetime.date(1990, 3, 25)]


def test_bytes_that_are_no_text_are_counted_and_do_not_raise() -> None:
    broken = pa.array([b"\xff12", b"34"], pa.binary()).view(pa.string())
    assert parse(broken, ColumnType.INTEGER, missing=()) == Parsed(pa.array([None, 34]), 1)
    assert as_text(broken, missing=()).to_pylist() == ["\ufffd12", "34"]


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.struct([("a", pa.int64())]), pa.binary()])
def test_columns_without_one_value_a_cell_are_refused(kind: pa.DataType) -> None:
    with pytest.raises(UnsupportedColumnType, match="one value a cell"):
        parse(pa.nulls(1, kind), ColumnType.STRING, missing=())


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))), st.sampled_from(ColumnType))
def test_any_text_survives_and_every_cell_is_accounted_for(cells: list[str | None], to: ColumnType) -> None:
    texts = as_text(pa.array(cells, pa.string()), missing=MISSING)
    result = parsed(cells, to)
    assert result.values.null_count == texts.null_count + result.unparsed


@given(st.lists(st.integers(-(10**17), 10**17)))
def test_written_integers_are_read_back(numbers: list[int]) -> None:
    assert parsed([f"{n:,}" for n in numbers], ColumnType.INTEGER) == Parsed(pa.array(numbers, pa.int64()), 0)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_written_floats_are_read_back(numbers: list[float]) -> None:
    assert parsed([repr(n) for n in numbers], ColumnType.NUMBER).values.to_pylist() == numbers


@given(st.lists(st.dates()), st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%d-%b-%Y", "%Y%m%d"]))
def test_written_dates_are_read_back(dates: list[datetime.date], form: str) -> None:
    recent = [day for day in dates if day.year >= 1000]
    assert parsed([day.strftime(form) for day in recent], ColumnType.DATE).values.to_pylist() == [
        day if form != "%Y%m%d" or day.year < 3000 else None for day in recent
    ]
