import datetime
import hashlib
import itertools
import struct
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_ml.vault.content_digest import ContentDigest, keyed_digest

TYPES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "text": (pa.string(), st.text(max_size=5)),
    "bytes": (pa.binary(), st.binary(max_size=5)),
    "whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "short": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "number": (pa.float64(), st.floats(allow_nan=False)),
    "single": (pa.float32(), st.floats(allow_nan=False, width=32)),
    "truth": (pa.bool_(), st.booleans()),
    "day": (pa.date32(), st.dates()),
}
SCHEMA = pa.schema([pa.field(name, type_) for name, (type_, _) in TYPES.items()])
ROWS = st.lists(st.tuples(*(st.none() | cells for _, cells in TYPES.values())), max_size=12)
Row = tuple[Any, ...]


def batch_of(rows: list[Row], schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    columns = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(schema)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def digest(*batches: pa.RecordBatch, schema: pa.Schema = SCHEMA) -> bytes:
    content = ContentDigest(schema)
    for batch in batches:
        content.update(batch)
    return content.digest()


def reference(rows: list[Row]) -> bytes:
    """The format's page, followed cell by cell."""
    whole = b"secure_ml/content-digest/1" + struct.pack("<Q", len(rows))
    for at, field in enumerate(SCHEMA):
        cells = [row[at] for row in rows]
        validity = bytes(cell is not None for cell in cells)
        lengths = values = b""
        for cell in cells:
            if isinstance(cell, str | bytes) or field.type in (pa.string(), pa.binary()):
                content = b"" if cell is None else cell.encode() if isinstance(cell, str) else cell
                lengths, values = lengths + struct.pack("<q", len(content)), values + content
            elif field.type == pa.bool_():
                values += bytes([bool(cell)])
            elif field.type == pa.date32():
                values += struct.pack("<q", 0 if cell is None else (cell - datetime.date(1970, 1, 1)).days)
            else:
                values += struct.pack("<d" if pa.types.is_floating(field.type) else "<q", cell or 0)
        for text in (field.name, str(field.type)):
            whole += struct.pack("<I", len(text)) + text.encode()
        whole += b"".join(hashlib.sha256(content).digest() for content in (validity, lengths, values))
    return hashlib.sha256(whole).digest()


@given(rows=ROWS)
def test_the_digest_is_the_one_that_the_formats_page_describes(rows: list[Row]) -> None:
    assert digest(batch_of(rows)) == reference(rows)


@given(rows=ROWS, cuts=st.lists(st.integers(0, 12), max_size=4))
def test_batches_do_not_matter(rows: list[Row], cuts: list[int]) -> None:
    whole = batch_of(rows)
    ends = sorted({min(cut, len(rows)) for cut in cuts} | {0, len(rows)})
    slices = [whole.slice(start, end - start) for start, end in itertools.pairwise(ends)]
    copies = [batch_of(rows[start:end]) for start, end in itertools.pairwise(ends)]
    assert digest(whole) == digest(*slices) == digest(*copies)


@given(rows=ROWS.filter(len), data=st.data())
def test_any_other_cell_changes_it(rows: list[Row], data: st.DataObject) -> None:
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(TYPES) - 1))
    cells = list(TYPES.values())[column][1]
    other = data.draw((st.none() | cells).filter(lambda cell: cell != rows[row][column]))
    changed = [*rows]
    changed[row] = (*rows[row][:column], other, *rows[row][column + 1 :])
    assert digest(batch_of(rows)) != digest(batch_of(changed))


@given(rows=ROWS)
def test_another_order_of_rows_changes_it(rows: list[Row]) -> None:
    if rows != rows[::-1]:
        assert digest(batch_of(rows)) != digest(batch_of(rows[::-1]))


ONE = pa.schema([pa.field("x", pa.string())])


def of_texts(*texts: str | None, schema: pa.Schema = ONE) -> bytes:
    return digest(batch_of([(text,) for text in texts], schema), schema=schema)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("",), (None,)),
        (("ab", "c"), ("a", "bc")),
        (("a", None), (None, "a")),
        (("a",), ("a", None)),
        ((), (None,)),
        ((None,), (None, None)),
    ],
)
def test_what_looks_alike_in_bytes_differs(one: tuple[str | None, ...], other: tuple[str | None, ...]) -> None:
    assert of_texts(*one) != of_texts(*other)


def test_name_type_and_order_of_columns_count() -> None:
    named = pa.schema([pa.field("y", pa.string())])
    typed = pa.schema([pa.field("x", pa.binary())])
    assert len({of_texts("a"), of_texts("a", schema=named), digest(batch_of([(b"a",)], typed), schema=typed)}) == 3
    pair = pa.schema([pa.field("x", pa.string()), pa.field("y", pa.string())])
    turned = pa.schema([pair.field(1), pair.field(0)])
    assert digest(batch_of([("a", "a")], pair), schema=pair) != digest(batch_of([("a", "a")], turned), schema=turned)


def test_a_null_counts_the_same_whatever_lies_below_it() -> None:
    schema = pa.schema([pa.field("x", pa.string())])
    hidden = pa.StringArray.from_buffers(
        2,
        pa.py_buffer(struct.pack("<3i", 0, 3, 4)),
        pa.py_buffer(b"oldb"),
        pa.py_buffer(b"\x02"),
    )
    assert hidden.to_pylist() == [None, "b"]
    assert digest(pa.RecordBatch.from_arrays([hidden], schema=schema), schema=schema) == of_texts(None, "b")


def test_numbers_that_are_equal_count_the_same() -> None:
    schema = pa.schema([pa.field("x", pa.float64())])

    def of(number: float) -> bytes:
        return digest(batch_of([(number,)], schema), schema=schema)

    assert of(0.0) == of(-0.0)
    assert of(float("nan")) == of(-float("nan")) != of(float("inf"))


def test_dates_before_1970_count() -> None:
    schema = pa.schema([pa.field("x", pa.date32())])
    days = [datetime.date(1969, 12, 31), datetime.date(1970, 1, 1), None]
    assert len({digest(batch_of([(day,)], schema), schema=schema) for day in days}) == 3


def test_the_digest_of_a_version_is_keyed_and_names_each_parts_place() -> None:
    parts = [("data", 0, b"a" * 32), ("data", 1, b"b" * 32)]
    whole = keyed_digest(parts, key=bytes(32))
    assert whole == keyed_digest(reversed(parts), key=bytes(32))
    assert whole != keyed_digest(parts, key=b"\x01" * 32)
    assert whole != keyed_digest([("data", 1, b"a" * 32), ("data", 0, b"b" * 32)], key=bytes(32))
    assert whole != keyed_digest([("test", 0, b"a" * 32), ("data", 1, b"b" * 32)], key=bytes(32))
    assert len(bytes.fromhex(whole)) == 32
