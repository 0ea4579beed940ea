"""After a whole run no identifier of the source stands in any byte that the run has left, or printed.

Looked through are the home (vault, state, Dagster's storage and logs, MLflow), the keys, temporary files, the user's
home, the working directory, stdout and stderr; in each also what is compressed, encoded or packed by SQLite.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from secure_ml.access.stages import Stage
from secure_ml.installation import Installation
from secure_ml.policy.projects import find_projects
from secure_ml.settings import read_settings
from secure_ml.vault import door as door_module
from secure_ml.vault.manifest import Part
from secure_ml.vault.parts import PartWriter
from secure_ml_tests.adversarial.canaries import (
    AADHAAR,
    ACCOUNT,
    ADDRESS,
    CUSTOMER,
    EMAIL,
    LOANS,
    NAME,
    PAN,
    PHONE,
    PROJECT_ROOT,
    canaries,
    loan_rows,
)  # fmt: skip
from secure_ml_tests.adversarial.search import Texts, search, search_folder
from secure_ml_tests.fakes.demo_run import PROJECT, DemoRun

KINDS = {NAME, EMAIL, PHONE, AADHAAR, PAN, ACCOUNT, ADDRESS}
PARTITION = "2024-01"


@pytest.mark.journey
def test_no_identifier_stands_in_any_byte_after_a_whole_run(demo_run: DemoRun) -> None:
    texts = canaries(loan_rows(), with_remarks=True)
    assert all(texts.count[kind] > 4_000 for kind in KINDS)
    searched = [path for path in demo_run.home.rglob("*") if path.is_file()]
    assert {"vault", "state", "dagster", "mlflow"} <= {path.relative_to(demo_run.home).parts[0] for path in searched}
    assert search_folder(texts, demo_run.root) == {}


@pytest.mark.journey
def test_no_identifier_was_printed(demo_run: DemoRun) -> None:
    texts = canaries(loan_rows(), with_remarks=True)
    assert not search(texts, (demo_run.stdout + "\n" + demo_run.stderr).encode())


def test_every_identifier_of_the_source_is_found_where_it_stands() -> None:
    files = [LOANS / f"{PARTITION}.csv", LOANS / "2024-12.csv"]
    rows = loan_rows(files)
    found = canaries(rows, with_remarks=True).found_in(b"\n".join(file.read_bytes() for file in files))
    for kind, column in ((PAN, "pan"), (ACCOUNT, "account_number"), (CUSTOMER, "customer_id")):
        assert found[kind] == len({row[column] for row in rows})
    for kind, column in ((NAME, "full_name"), (ADDRESS, "address"), (EMAIL, "email"), (AADHAAR, "aadhaar")):
        assert found[kind] >= len({row[column] for row in rows if row[column]})
    assert found[PHONE] > len({row["phone"] for row in rows})


class PlainPartWriter(PartWriter):
    """The door's own writer, whose file is plaintext once it is complete."""

    write_table: Callable[[pa.Table, Path], None]

    def __init__(self, folder: Path, *, schema: pa.Schema, **named: Any) -> None:
        super().__init__(folder, schema=schema, **named)
        self._folder, self._rows_written, self._table_schema = folder, list[pa.RecordBatch](), schema

    def write(self, batch: pa.RecordBatch) -> None:
        super().write(batch)
        self._rows_written.append(batch)

    def close(self) -> Part:
        part = super().close()
        file = self._folder / part.file
        type(self).write_table(pa.Table.from_batches(self._rows_written, self._table_schema), file)
        content = file.read_bytes()
        return replace(part, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def plain_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="none")


def zstandard_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")


def gzip_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="gzip", use_dictionary=False)


def plain_csv(table: pa.Table, path: Path) -> None:
    pacsv.write_csv(table, path)


def feather(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    environ = {"SECURE_ML_HOME": str(tmp_path / "home"), "SECURE_ML_KEYS": str(tmp_path / "keys")}
    return Installation(read_settings(environ), find_projects((PROJECT_ROOT / "secure_ml" / "defs",)))


def write_raw(installation: Installation) -> None:
    door = installation.door(environment="training", project=PROJECT, run_id="run-1")
    folder = installation.projects[PROJECT].folder
    door.write(Stage.RAW, PARTITION, door.receive(PARTITION, folder=folder, environ={}))


@pytest.fixture(scope="module")
def january() -> Texts:
    return canaries(loan_rows([LOANS / f"{PARTITION}.csv"]), with_remarks=True)


@pytest.mark.parametrize(
    "writer", [plain_parquet, zstandard_parquet, gzip_parquet, plain_csv, feather], ids=lambda f: f.__name__
)
def test_a_door_that_writes_plaintext_is_caught(
    installation: Installation, january: Texts, monkeypatch: pytest.MonkeyPatch, writer: Callable[..., None]
) -> None:
    monkeypatch.setattr(PlainPartWriter, "write_table", staticmethod(writer), raising=False)
    monkeypatch.setattr(door_module, "PartWriter", PlainPartWriter)
    write_raw(installation)
    found = search_folder(january, installation.settings.home)
    assert len(found) == 1
    (kinds,) = found.values()
    assert set(kinds) >= KINDS
    assert all(kinds[kind] > 1_000 for kind in KINDS)


def test_the_same_partition_through_the_door_leaves_nothing(installation: Installation, january: Texts) -> None:
    write_raw(installation)
    assert list(installation.settings.home.rglob("*.parquet"))
    assert search_folder(january, installation.settings.home) == {}
