"""A bad source is a clear error that names the file and no cell; a good one is streamed under the policy's labels."""

import datetime
import decimal
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from secure_ml.policy.project import Policy
from secure_ml.vault.errors import SourceError
from secure_ml.vault.labels import STRICTEST
from secure_ml.vault.source import open_source
from secure_ml_tests.fakes.small_project import HEADER, Attributes, as_csv, attributes, rows

CELLS = ("Zorblax", "MEMBER-", "invented.example")


def policy(**source: object) -> Policy:
    content = attributes()
    content["source"] = {"format": "csv", "path": "table.csv", **source}
    return Policy.model_validate(content)


def read(declared: Policy, folder: Path, *, partition: str = "", environ: Mapping[str, str] | None = None) -> pa.Table:
    return open_source(declared, folder=folder, partition=partition, environ=environ or {}).read()


def refusal(declared: Policy, folder: Path, **named: Any) -> str:
    """The text of the error, once it is shown to hold no cell and no cause that would print one."""
    with pytest.raises(SourceError) as refused:
        read(declared, folder, **named)
    text = str(refused.value)
    assert not [cell for cell in CELLS if cell in text]
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    return text


def csv_of(tmp_path: Path, text: str | bytes) -> Path:
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "table.csv").write_bytes(content)
    return tmp_path


GOOD = as_csv(rows(5))
HEAD, FIRST, *REST = GOOD.splitlines()

BAD_CSV: dict[str, tuple[str | bytes, str]] = {
    "empty file": ("", "the file is empty"),
    "only a line end": ("\n", "has no rows"),
    "missing column": (GOOD.replace("income", "salary", 1), "lacks the declared columns income"),
    "no header": ("\n".join([FIRST, *REST]), "two columns have the same name"),
    "header alone": (HEAD, "has no rows"),
    "header and line end": (HEAD + "\n", "has no rows"),
    "duplicate header": (GOOD.replace("email", "full_name", 1), "two columns have the same name"),
    "short row": ("\n".join([HEAD, FIRST, FIRST.rsplit(",", 3)[0], *REST]), "8 cells where the header has 11"),
    "long row": ("\n".join([HEAD, FIRST, FIRST + ",more", *REST]), "12 cells where the header has 11"),
    "huge cell": (GOOD.replace("north", "n" * 70_000, 1), "column region is longer than 65536 bytes"),
    "unclosed quote": (GOOD.replace("Zorblax", '"Zorblax', 1), "quot"),
    "invalid UTF-8": (GOOD.encode().replace(b"north", b"n\xff\xferth", 1), "not valid UTF-8"),
    "invalid UTF-8 in the header": (b"\xff\xfe" + GOOD.encode(), "not valid UTF-8"),
    "UTF-16": (GOOD.encode("utf-16"), "not valid UTF-8"),
    "wrong delimiter": (GOOD.replace(",", ";"), "lacks the declared columns"),
    "not text at all": (bytes(range(256)) * 40, ""),
}


@pytest.mark.parametrize("name", BAD_CSV)
def test_a_bad_csv_file_is_refused(tmp_path: Path, name: str) -> None:
    content, expected = BAD_CSV[name]
    folder = csv_of(tmp_path, content)
    text = refusal(policy(), folder)
    assert text.startswith(str(folder / "table.csv"))
    assert any(part in text for part in expected.split("|")), text


def test_a_file_that_ends_in_an_unclosed_quote_of_a_megabyte_is_refused(tmp_path: Path) -> None:
    body = "\n".join([HEAD, FIRST.replace("Zorblax", '"Zorblax', 1), *[line for line in REST for _ in range(9_000)]])
    assert "quot" in refusal(policy(), csv_of(tmp_path, body))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "no such file" in refusal(policy(), tmp_path)


def test_a_folder_in_the_place_of_the_file_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "table.csv").mkdir()
    assert "is a folder" in refusal(policy(), tmp_path)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_usual_dialects_of_csv_are_read(tmp_path: Path, mark: bytes, end: str) -> None:
    table = read(policy(), csv_of(tmp_path, mark + GOOD.replace("\n", end).encode()))
    assert table.column_names == list(HEADER)
    assert table["remark"].to_pylist() == [row["remark"] for row in rows(5)]


def test_a_quoted_cell_may_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    made = rows(3)
    made[1]["remark"] = 'one, "two"\nthree'
    assert read(policy(), csv_of(tmp_path, as_csv(made)))["remark"].to_pylist()[1] == 'one, "two"\nthree'


def test_another_separator_is_used_where_it_is_declared(tmp_path: Path) -> None:
    assert read(policy(delimiter=";"), csv_of(tmp_path, GOOD.replace(",", ";"))).num_rows == 5


def test_texts_that_mean_missing_are_compared_after_trimming(tmp_path: Path) -> None:
    made = rows(5)
    for row, region in zip(made, ["NA", " NA ", "NAN", "", "\tn/a"], strict=True):
        row["region"] = region
    table = read(policy(missing=["", "NA", "n/a"]), csv_of(tmp_path, as_csv(made)))
    assert table["region"].to_pylist() == [None, None, "NAN", None, None]


def test_a_cell_that_looks_like_a_number_or_a_date_stays_text(tmp_path: Path) -> None:
    made = rows(2)
    made[0].update(income="007", birth_date="1.10", region="true")
    table = read(policy(), csv_of(tmp_path, as_csv(made)))
    assert set(table.schema.types) == {pa.string()}
    assert [table[name][0].as_py() for name in ("income", "birth_date", "region")] == ["007", "1.10", "true"]


def test_an_undeclared_column_gets_the_strictest_label(tmp_path: Path) -> None:
    made = [{**row, "surprise": "x"} for row in rows(2)]
    folder = csv_of(tmp_path, as_csv(made, header=(*HEADER, "surprise")))
    dataset = open_source(policy(), folder=folder, partition="", environ={})
    assert dataset.labels["surprise"] == STRICTEST
    assert dataset.labels["income"].categories == {"financial"}


def test_only_the_asked_columns_are_given_in_their_order(tmp_path: Path) -> None:
    dataset = open_source(policy(), folder=csv_of(tmp_path, GOOD), partition="", environ={})
    assert [batch.schema.names for batch in dataset.scan(["region", "income"])] == [["region", "income"]]


# Parquet


def parquet_of(tmp_path: Path, **changes: pa.Array) -> Path:
    columns: dict[str, pa.Array] = {name: pa.array([row[name] for row in rows(4)]) for name in HEADER}
    pq.write_table(pa.table({**columns, **changes}), tmp_path / "table.parquet")
    return tmp_path


PARQUET = {"format": "parquet", "path": "table.parquet"}

FLAT: dict[str, tuple[pa.Array, pa.DataType, object]] = {
    "small integer": (pa.array([1, 2, None, 4], pa.int8()), pa.int64(), 1),
    "unsigned": (pa.array([1, 2, None, 4], pa.uint64()), pa.float64(), 1.0),
    "single": (pa.array([0.5, 2, None, 4], pa.float32()), pa.float64(), 0.5),
    "decimal": (pa.array([decimal.Decimal("1.50"), None, None, None]), pa.float64(), 1.5),
    "boolean": (pa.array([True, None, None, None]), pa.bool_(), True),
    "date": (pa.array([datetime.date(1990, 5, 1), None, None, None]), pa.date32(), datetime.date(1990, 5, 1)),
    "moment": (pa.array([datetime.datetime(1990, 5, 1)] * 4), pa.date32(), datetime.date(1990, 5, 1)),
    "large text": (pa.array(["x", None, None, None], pa.large_string()), pa.string(), "x"),
    "categories": (pa.array(["x", None, "x", "y"]).dictionary_encode(), pa.string(), "x"),
}


@pytest.mark.parametrize("name", FLAT)
def test_a_flat_parquet_column_is_read_as_the_type_it_is_stored_as(tmp_path: Path, name: str) -> None:
    array, expected, first = FLAT[name]
    table = read(policy(**PARQUET), parquet_of(tmp_path, income=array))
    assert (table.schema.field("income").type, table["income"][0].as_py()) == (expected, first)


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[1], [2], None, [4]]),
        pa.array([{"x": "Zorblax"}] * 4),
        pa.array([b"Zorblax"] * 4),
        pa.array([datetime.timedelta(1)] * 4),
        pa.array([datetime.time(1)] * 4),
    ],
    ids=["list", "struct", "binary", "duration", "time"],
)
def test_a_parquet_column_that_is_not_flat_is_refused(tmp_path: Path, array: pa.Array) -> None:
    assert "income" in refusal(policy(**PARQUET), parquet_of(tmp_path, income=array))


def test_a_huge_cell_of_a_parquet_file_is_refused(tmp_path: Path) -> None:
    folder = parquet_of(tmp_path, remark=pa.array(["Zorblax" * 10_000] * 4))
    assert "column remark is longer than 65536 bytes" in refusal(policy(**PARQUET), folder)


def test_a_number_that_no_type_here_holds_is_refused_without_it(tmp_path: Path) -> None:
    folder = parquet_of(tmp_path, income=pa.array([2**63 + 1] * 4, pa.uint64()))
    text = refusal(policy(**PARQUET), folder)
    assert "column income holds what" in text
    assert str(2**63 + 1) not in text


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"Zorblax,MEMBER-1\n" * 50])
def test_what_is_no_parquet_file_is_refused(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "table.parquet").write_bytes(damage)
    assert "deliver it again" in refusal(policy(**PARQUET), tmp_path)


def test_a_damaged_page_of_a_parquet_file_is_refused(tmp_path: Path) -> None:
    file = parquet_of(tmp_path) / "table.parquet"
    content = bytearray(file.read_bytes())
    content[4:60] = bytes(56)
    file.write_bytes(content)
    assert "damaged" in refusal(policy(**PARQUET), tmp_path)


def test_a_parquet_file_without_a_declared_column_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"income": [1]}), tmp_path / "table.parquet")
    assert "lacks the declared columns member_id" in refusal(policy(**PARQUET), tmp_path)


# SQL

SQL = {"format": "sql", "path": None, "url_env": "CLINIC_URL", "query": "SELECT * FROM members"}


@pytest.fixture
def database(tmp_path: Path) -> Mapping[str, str]:
    with closing(sqlite3.connect(tmp_path / "clinic.db")) as connection, connection:
        connection.execute(f"CREATE TABLE members ({', '.join(HEADER)}, piece)")
        for number, row in enumerate(rows(6)):
            cells = [*row.values(), ("first", "second")[number % 2]]
            connection.execute(f"INSERT INTO members VALUES ({', '.join('?' * len(cells))})", cells)
        connection.execute("UPDATE members SET income = 12.5, region = NULL WHERE rowid = 1")
    return {"CLINIC_URL": f"sqlite:///{tmp_path / 'clinic.db'}"}


def test_a_query_gives_its_rows_as_text(tmp_path: Path, database: Mapping[str, str]) -> None:
    table = read(policy(**SQL), tmp_path, environ=database)
    assert table.num_rows == 6
    assert (table["income"][0].as_py(), table["region"][0].as_py()) == ("12.5", None)
    assert table.column_names == [*HEADER, "piece"]


def test_the_partition_is_bound_to_the_query_and_not_pasted_into_it(
    tmp_path: Path, database: Mapping[str, str]
) -> None:
    query = "SELECT * FROM members WHERE piece = :partition"
    declared = policy(**SQL | {"query": query}, partitions={"kind": "static", "keys": ["first", "second"]})
    assert set(read(declared, tmp_path, partition="first", environ=database)["piece"].to_pylist()) == {"first"}


@pytest.mark.parametrize("environ", [{}, {"CLINIC_URL": ""}])
def test_an_unset_variable_is_named(tmp_path: Path, environ: Mapping[str, str]) -> None:
    assert "CLINIC_URL is not set" in refusal(policy(**SQL), tmp_path, environ=environ)


@pytest.mark.parametrize(
    "query", ["SELECT * FROM nobody", "SELEKT 'Zorblax'", "SELECT 'Zorblax' FROM members WHERE x = :unbound"]
)
def test_a_query_that_fails_is_refused_without_its_text(
    tmp_path: Path, database: Mapping[str, str], query: str
) -> None:
    assert "the query failed" in refusal(policy(**SQL | {"query": query}), tmp_path, environ=database)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all.db",
        "no url, but Zorblax",
        "nosuch://user:Zorblax@host/db",
        "oracle://Zorblax@h/d",
        "postgresql://h:Zorblax/d",
    ],
)
def test_a_url_that_leads_nowhere_is_refused_without_it(tmp_path: Path, url: str) -> None:
    assert "CLINIC_URL" in refusal(policy(**SQL), tmp_path, environ={"CLINIC_URL": url})


def test_a_query_without_a_declared_column_is_refused(tmp_path: Path, database: Mapping[str, str]) -> None:
    text = refusal(policy(**SQL | {"query": "SELECT income FROM members"}), tmp_path, environ=database)
    assert "lacks the declared columns member_id" in text


def test_a_huge_cell_of_a_query_is_refused(tmp_path: Path, database: Mapping[str, str]) -> None:
    query = "SELECT *, printf('%.70000c', 'Z') AS wide FROM members"
    assert "column wide is longer" in refusal(policy(**SQL | {"query": query}), tmp_path, environ=database)


def test_a_query_or_a_parquet_file_without_rows_is_refused(tmp_path: Path, database: Mapping[str, str]) -> None:
    nobody = policy(**SQL | {"query": "SELECT * FROM members WHERE income = 'none'"})
    assert "has no rows" in refusal(nobody, tmp_path, environ=database)
    empty = pa.table({name: pa.array([], pa.string()) for name in HEADER})
    pq.write_table(empty, tmp_path / "table.parquet")
    assert "has no rows" in refusal(policy(**PARQUET), tmp_path)


# Partitions


def monthly(content: Attributes) -> None:
    content["source"]["partitions"] = {"kind": "monthly", "start": "2024-02", "end": "2024-11"}


def static(content: Attributes) -> None:
    content["source"]["partitions"] = {"kind": "static", "keys": ["first", "second"]}


def unpartitioned(content: Attributes) -> None:
    content["source"].update(partitions={"kind": "none"}, path="table-first.csv")


@pytest.mark.parametrize(
    ("kind", "partition"),
    [
        (static, "third"),
        (static, ""),
        (monthly, "2024-01"),
        (monthly, "2024-12"),
        (monthly, "2024-13"),
        (monthly, "first"),
        (unpartitioned, "first"),
    ],
)
def test_a_partition_that_does_not_exist_is_refused_even_where_a_file_does(
    tmp_path: Path, kind: Callable[[Attributes], None], partition: str
) -> None:
    content = attributes(partitioned=True)
    kind(content)
    (tmp_path / f"table-{partition or 'first'}.csv").write_text(GOOD)
    assert "no partition" in refusal(Policy.model_validate(content), tmp_path, partition=partition)
