"""Whatever code of a project raises, returns, logs, prints or asks for: no value of a person is stored or printed.

The code is not of this project and knows nothing of its boundaries. Its runs are recorded by the instance that
dagster.yaml declares, once in SQLite and once in PostgreSQL.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from secure_ml_tests.adversarial.search import Texts, search, search_folder
from secure_ml_tests.fakes.hostile_code import AADHAAR, EMAIL, NAME, PAN, PHONE
from secure_ml_tests.fakes.postgres_server import postgres_server

SQLITE = "{module: secure_ml.orchestration.storage, class: RedactedSqliteStorage, config: {base_dir: %s}}"
POSTGRES = (
    "{module: secure_ml.orchestration.postgres_storage, class: RedactedPostgresStorage, config: {postgres_url: '%s'}}"
)
INSTANCE = """
telemetry: {{enabled: false}}
storage: {{custom: {storage}}}
local_artifact_storage:
  {{module: dagster._core.storage.root, class: LocalArtifactStorage, config: {{base_dir: {files}}}}}
compute_logs:
  {{module: secure_ml.orchestration.compute_logs, class: RedactedComputeLogManager, config: {{base_dir: {files}}}}}
"""

PROGRAM = """
import sys
import dagster as dg
from secure_ml_tests.fakes import hostile_code

with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    job = hostile_code.defs.resolve_implicit_global_asset_job_def()
    ended = {}
    for asset in hostile_code.ASSETS:
        run = job.execute_in_process(instance=instance, asset_selection=list(asset.keys), raise_on_error=False)
        ended[asset.op.name] = run.success
    for name in ("steps_named_by_values", "fails_its_type"):
        ended[name] = hostile_code.defs.resolve_job_def(name).execute_in_process(
            instance=instance, raise_on_error=False
        ).success
    print("ended", [name for name, success in ended.items() if success])
"""

ENDS_WELL = (
    "fails_in_a_thread", "adds_metadata", "describes", "logs", "prints", "warns", "prints_what_a_library_found",
)  # fmt: skip


@dataclass(frozen=True)
class Hostile:
    """What the runs have left behind.

    Attributes:
        home: the instance's folder.
        files: all folders in which anything was stored.
        printed: on both streams.
    """

    home: Path
    files: tuple[Path, ...]
    printed: str


def hostile_runs(home: Path, storage: str) -> str:
    """Runs all of it in a process of its own, whose environment asks Dagster to mask nothing; gives what it printed."""
    home.mkdir()
    (home / "dagster.yaml").write_text(INSTANCE.format(storage=storage, files=home / "storage"))
    environ = dict(os.environ) | {
        "DAGSTER_HOME": str(home),
        "DAGSTER_REDACT_USER_CODE_ERRORS": "0",
        "DAGSTER_REDACTED_ERROR_LOGGER_NAME": "elsewhere",
    }
    command = [sys.executable, "-c", PROGRAM, str(home)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ, timeout=300)
    printed = done.stdout.decode(errors="replace")
    assert done.returncode == 0, printed[-2000:]
    assert f"ended {list(ENDS_WELL)}" in printed
    return printed


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def hostile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    home = tmp_path_factory.mktemp("hostile") / "home"
    if request.param == "sqlite":
        yield Hostile(home, (home,), hostile_runs(home, SQLITE % (home / "storage")))
        return
    with postgres_server() as server:
        printed = hostile_runs(home, POSTGRES % server.url)
        server.checkpoint()
        yield Hostile(home, (home, server.data), printed)


@pytest.fixture(scope="module")
def texts() -> Texts:
    forms = {"email": [EMAIL], "phone": [PHONE, PHONE.replace(" ", "")], "aadhaar": [AADHAAR], "pan": [PAN]}
    return Texts({**forms, "name in an error": [NAME]})


def test_no_value_stands_in_any_byte_of_what_was_stored(hostile: Hostile, texts: Texts) -> None:
    assert [search_folder(texts, folder) for folder in hostile.files] == [{}] * len(hostile.files)


def test_no_value_was_printed(hostile: Hostile, texts: Texts) -> None:
    assert search(texts, hostile.printed.encode()) == {}


def test_what_holds_no_value_is_still_told(hostile: Hostile) -> None:
    told = (
        "hostile_code.py\", line",  # where an error came from
        "CarelessError",
        "Materialized value adds_metadata",
        "about [email] and [number]",
        '"partial_unexpected_list": [value]',
        "uncaught error in a thread",
    )  # fmt: skip
    assert [words for words in told if words not in hostile.printed] == []
