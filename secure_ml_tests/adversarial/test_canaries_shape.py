"""Values where a table is expected to have structure: in its header, its categories, its partitions' keys.

A header may be somebody's name, a category somebody's remark, a partition somebody's number. What was delivered lies
encrypted; nothing else of the home, and nothing printed, holds it.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from secure_ml.access.stages import Stage
from secure_ml.policy.project import Policy
from secure_ml.vault.errors import SourceError
from secure_ml.vault.source import open_source
from secure_ml_tests.adversarial.search import Texts, search, search_folder
from secure_ml_tests.fakes.loan_installation import Attributes, LoanInstallation, Row, add_project, loan_installation
from secure_ml_tests.fakes.small_project import HEADER, attributes, rows

NAME, PHONE, EMAIL, PAN = "Zorblax Quillfeather", "98765 01234", "zorblax.canary@invented.example", "ABCPE1234F"
OTHER = "Xyzzyphene Quuxenheimer"
VALUES = (NAME, PHONE, EMAIL, PAN)
TEXTS = Texts({"name": [NAME, OTHER], "phone": [PHONE, PHONE.replace(" ", "")], "email": [EMAIL], "pan": [PAN]})


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoanInstallation]:
    with loan_installation(tmp_path_factory.mktemp("shape")) as made:
        yield made


def secure_ml(installed: LoanInstallation, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own."""
    program = Path(sys.executable).with_name("secure-ml")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=500)


def add_columns_named_by_values(table: list[Row]) -> None:
    for row in table:
        row |= {NAME: "1", PHONE: "2", EMAIL: row["phone"], "Pan ABCPE1234F": "4", "guarantor_contact": row["email"]}


def test_a_header_of_values_is_stored_and_told_by_its_positions(installed: LoanInstallation) -> None:
    add_project(installed, "named", rows=300, edit=add_columns_named_by_values)
    done = secure_ml(installed, "run", "named", "--until", "masked")

    assert done.returncode == 1
    assert "column 'undeclared_column_33': the policy does not declare it, but phone was found" in done.stderr
    assert "Write under columns: its name in the source, which is not shown" in done.stderr
    assert "column 'guarantor_contact': the policy does not declare it, but email was found" in done.stderr
    raw = installed.head("named", Stage.RAW)
    assert raw is not None
    assert "undeclared_column_31" in raw.to_bytes().decode()
    assert search(TEXTS, (done.stdout + done.stderr).encode()) == {}
    assert search_folder(TEXTS, installed.home) == {}


def policy_of(**source: object) -> Policy:
    content = attributes()
    content["source"] = source
    return Policy.model_validate(content)


def table_with_values() -> dict[str, list[str]]:
    made = rows(3)
    return {**{name: [row[name] for row in made] for name in HEADER}, **{value: ["1"] * 3 for value in VALUES}}


def from_parquet(folder: Path) -> tuple[Policy, Mapping[str, str]]:
    pq.write_table(pa.table(table_with_values()), folder / "table.parquet")
    return policy_of(format="parquet", path="table.parquet"), {}


def from_csv(folder: Path) -> tuple[Policy, Mapping[str, str]]:
    table = table_with_values()
    lines = [",".join(f'"{cell}"' for cell in line) for line in (table, *zip(*table.values(), strict=True))]
    (folder / "table.csv").write_text("\n".join(lines))
    return policy_of(format="csv", path="table.csv"), {}


def from_sql(folder: Path) -> tuple[Policy, Mapping[str, str]]:
    table = table_with_values()
    quoted = ", ".join(f'"{name}"' for name in table)
    with closing(sqlite3.connect(folder / "source.db")) as database, database:
        database.execute(f"create table people ({quoted})")
        marks = ", ".join("?" * len(table))
        database.executemany(f"insert into people values ({marks})", list(zip(*table.values(), strict=True)))
    policy = policy_of(format="sql", url_env="SOURCE", query="select * from people")
    return policy, {"SOURCE": f"sqlite:///{folder / 'source.db'}"}


@pytest.mark.parametrize("source", [from_csv, from_parquet, from_sql])
def test_every_source_replaces_such_names_and_gives_the_same_cells(
    tmp_path: Path, source: Callable[[Path], tuple[Policy, Mapping[str, str]]]
) -> None:
    policy, environ = source(tmp_path)
    table = open_source(policy, folder=tmp_path, partition="", environ=environ).read()

    assert table.schema.names == [*HEADER, *(f"undeclared_column_{len(HEADER) + i}" for i in range(1, 5))]
    given = {name: [cell or None for cell in table_with_values()[name]] for name in HEADER}
    assert {
        name: [cell or None for cell in cells] for name, cells in table.to_pydict().items() if name in HEADER
    } == given
    assert table.column(len(HEADER)).to_pylist() == ["1"] * 3


@pytest.mark.parametrize(
    "column", [pa.array([["a"], ["b"], ["c"]]), pa.array([b"a", b"b", b"c"]), pa.array(["x" * 70_000, "", ""])]
)
def test_an_error_about_such_a_column_says_its_position(tmp_path: Path, column: pa.Array) -> None:
    declared = {name: cells for name, cells in table_with_values().items() if name in HEADER}
    pq.write_table(pa.table({**declared, NAME: column}), tmp_path / "table.parquet")
    with pytest.raises(SourceError, match=f"undeclared_column_{len(HEADER) + 1} ") as refused:
        open_source(policy_of(format="parquet", path="table.parquet"), folder=tmp_path, partition="", environ={}).read()
    assert NAME not in str(refused.value)


def write_values_for_categories(table: list[Row]) -> None:
    """A cell that slipped by a column, in attributes that groups are compared by and in features."""
    for column in ("gender", "religion", "marital_status", "education", "occupation", "ifsc", "consent_scoring"):
        for number, value in enumerate((NAME, OTHER, EMAIL, PHONE)):
            table[10 + number][column] = value


@pytest.mark.journey
def test_values_among_categories_reach_no_page_and_no_registry(installed: LoanInstallation) -> None:
    add_project(installed, "categories", edit=write_values_for_categories, change=expect_nothing)
    done = secure_ml(installed, "run", "categories")

    assert done.returncode == 0, done.stderr
    assert installed.head("categories", Stage.REGISTERED) is not None
    assert search(TEXTS, (done.stdout + done.stderr).encode()) == {}
    assert search_folder(TEXTS, installed.home) == {}


def expect_nothing(content: Attributes) -> None:
    """The spoiled cells are few, and their quality is not what this test is about."""
    content["quality"]["expectations"] = []


@pytest.mark.parametrize("key", [*VALUES, "../../etc/passwd", "2031-01"])
def test_a_partition_that_nobody_declared_is_asked_for_in_vain(installed: LoanInstallation, key: str) -> None:
    done = secure_ml(installed, "run", "loan_approval", "--partition", key)

    assert done.returncode == 1
    assert "has no partition" in done.stderr
    assert search_folder(TEXTS, installed.home) == {}


def one_partition_called(key: str) -> Callable[[Attributes], None]:
    def change(content: dict[str, Any]) -> None:
        content["source"] |= {
            "partitions": {"kind": "static", "keys": [key]},
            "path": "../../../delivered/{partition}.csv",
        }

    return change


def test_a_number_that_the_policy_declares_as_a_partition_is_its_name(installed: LoanInstallation) -> None:
    add_project(installed, "numbered", rows=300, change=one_partition_called("88012345"))
    installed.table("numbered").rename(installed.table("88012345"))
    done = secure_ml(installed, "run", "numbered", "--until", "raw")

    assert done.returncode == 0, done.stderr
    raw = installed.head("numbered", Stage.RAW)
    assert raw is not None
    assert raw.address.partition == "88012345"
