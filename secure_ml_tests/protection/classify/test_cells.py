import datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from secure_ml.protection.classify.cells import Kind, cells_of, fold, words_of
from secure_ml.protection.classify.errors import ColumnNotExaminable


@pytest.mark.parametrize(
    ("array", "kind", "values"),
    [
        (pa.array(["a", " a ", "", "  ", None]), Kind.TEXT, {"a": 2}),
        (pa.array(["a", "b", "a"]).dictionary_encode(), Kind.TEXT, {"a": 2, "b": 1}),
        (pa.array([1, 1, None]), Kind.NUMBER, {"1": 2}),
        (pa.array([234123412346.0, float("nan"), None]), Kind.NUMBER, {"234123412346": 1}),
        (pa.array([1.5, float("inf")]), Kind.NUMBER, {"1.5": 1, "inf": 1}),
        (pa.array([Decimal("1.50")]), Kind.NUMBER, {"1.50": 1}),
        (pa.array([True, False, None]), Kind.FLAG, {"true": 1, "false": 1}),
        (pa.array([datetime.datetime(1990, 5, 12, 3)]), Kind.DATE, {"1990-05-12": 1}),
        (pa.array([None, None]), Kind.TEXT, {}),
        (pa.array(["२३४", "234\u00a0", "\u200b"]), Kind.TEXT, {"234": 2}),
    ],
)
def test_cells_are_counted_as_distinct_text_whatever_their_type(
    array: pa.Array, kind: Kind, values: dict[str, int]
) -> None:
    cells = cells_of(array, name="c")
    counted: dict[str, int] = {}
    for value, count in zip(cells.values.to_pylist(), cells.counts.tolist(), strict=True):
        counted[value] = counted.get(value, 0) + count
    assert (cells.kind, counted, cells.rows) == (kind, values, len(array))


@pytest.mark.parametrize("array", [pa.array([[1]]), pa.array([{"a": 1}]), pa.array([b"x"])])
def test_a_column_that_cannot_be_looked_into_is_refused_by_name(array: pa.Array) -> None:
    with pytest.raises(ColumnNotExaminable, match="'c'"):
        cells_of(array, name="c")


def test_text_that_is_not_utf8_is_refused_without_its_bytes() -> None:
    buffers = pa.array([b"secret\xff\xfe"]).buffers()
    array = pa.Array.from_buffers(pa.string(), 1, buffers)
    with pytest.raises(ColumnNotExaminable, match="not UTF-8") as caught:
        cells_of(array, name="c")
    assert "secret" not in repr(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("DateOfBirth", "date of birth"),
        ("phone1", "phone 1"),
        ("AADHAAR_No.", "aadhaar no"),
        ("customerPANNumber", "customer pan number"),
        ("mean area", "mean area"),
    ],
)
def test_a_column_name_becomes_words(name: str, words: str) -> None:
    assert words_of(name) == words


def test_folding_keeps_every_offset() -> None:
    text = "फ़ोन ९८७६५\u00a0४३२१\u0966 \u2013 ok"
    assert len(fold(text)) == len(text)
    assert "98765 43210 - ok" in fold(text)
