"""The registry: complete, without the model, without a person's value, without the network."""

import json
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from secure_ml.guard.redaction import Redactor
from secure_ml.guard.telemetry import SWITCHES
from secure_ml.release.record import FIGURE_BYTES, RegistrationRecord, RegistryError, StoredVersion
from secure_ml.release.registry import ModelRegistry, RegisteredVersion
from secure_ml_tests.fakes.pictures import picture

EMAIL = "meera.kulkarni@example.in"
PNG = picture()
RECORD = RegistrationRecord(
    dagster_run_id="2bc94f3b-5838-41fa-8d9b-9d770cc3cfcd",
    model=StoredVersion("trained", "", "9c1f0b7ad2e84f55a3c2e1d0b9f8a7c6", "a" * 64),
    datasets=(
        StoredVersion("masked", "2024-01", "1c1f0b7ad2e84f55a3c2e1d0b9f8a7c6", "b" * 64),
        StoredVersion("split", "", "2c1f0b7ad2e84f55a3c2e1d0b9f8a7c6", "c" * 64),
    ),
    algorithm="dp_additive",
    hyperparameters={"epsilon": "1", "rounds": 200, "learning_rate": 10.0},
    metrics={"auc": 0.9, "log_loss": 0.3},
    policy_digest="d" * 64,
    code_version="0.1.0",
    environment_lock_digest="e" * 64,
    started_by="asha",
    trained_at=datetime(2024, 11, 24, 3, 47, 12, tzinfo=UTC),
    registered_at=datetime(2024, 11, 24, 3, 50, tzinfo=UTC),
    model_card="# Loan approval\n\nMade for officers.\n",
    evaluation={"auc": {"value": 0.9, "interval": [0.88, 0.92]}},
    figures={"calibration.png": PNG},
)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes seconds to make its tables: once for all."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def home(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the registry opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return tmp_path


def _registry(home: Path) -> ModelRegistry:
    return ModelRegistry(f"sqlite:///{home}/mlflow.db", (home / "artifacts").as_uri(), redactor=Redactor())


def _register(home: Path, record: RegistrationRecord = RECORD) -> RegisteredVersion:
    return _registry(home).register(project="loan_approval", environment="training", record=record)


def _client(home: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=f"sqlite:///{home}/mlflow.db")


def _files(home: Path) -> Mapping[str, bytes]:
    root = home / "artifacts"
    return {"/".join(p.relative_to(root).parts[4:]): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_registration_tells_how_the_model_was_made(home: Path) -> None:
    version = _register(home)
    run = _client(home).get_run(version.mlflow_run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "algorithm": "dp_additive",
        "epsilon": "1",
        "rounds": "200",
        "learning_rate": "10.0",
    }
    assert run.data.metrics == RECORD.metrics
    expected = {
        "dagster_run_id": RECORD.dagster_run_id,
        "policy_digest": RECORD.policy_digest,
        "environment_lock_digest": RECORD.environment_lock_digest,
        "code_version": "0.1.0",
        "started_by": "asha",
        "trained_at": "2024-11-24T03:47:12+00:00",
        "registered_at": "2024-11-24T03:50:00+00:00",
        "dataset.masked.2024-01": f"{RECORD.datasets[0].version_id} {RECORD.datasets[0].digest}",
        "dataset.split": f"{RECORD.datasets[1].version_id} {RECORD.datasets[1].digest}",
    }
    assert expected.items() <= run.data.tags.items()


def test_the_version_is_a_candidate_bound_to_model_and_evidence(home: Path) -> None:
    version = _register(home)
    stored = _client(home).get_model_version("training.loan_approval", "1")
    assert (version.name, version.version, version.status) == ("training.loan_approval", 1, "candidate")
    assert stored.run_id == version.mlflow_run_id
    assert stored.source == version.artifact_uri
    assert stored.tags["status"] == "candidate"
    assert stored.tags["model_digest"] == RECORD.model.digest
    assert {"policy_digest", "model_card_digest", "evaluation_digest"} <= stored.tags.keys()


def test_the_artefacts_hold_a_reference_and_not_the_model(home: Path) -> None:
    _register(home)
    files = _files(home)
    assert set(files) == {"model_card.md", "evaluation.json", "model.reference.json", "figures/calibration.png"}
    assert json.loads(files["model.reference.json"]) == {
        "format": 1,
        "version_id": RECORD.model.version_id,
        "digest": RECORD.model.digest,
        "encrypted": True,
    }
    assert json.loads(files["evaluation.json"]) == RECORD.evaluation
    assert files["figures/calibration.png"] == PNG


def test_registering_twice_from_one_run_gives_the_same_version(home: Path) -> None:
    assert _register(home) == _register(home)
    assert len(_client(home).search_model_versions("name = 'training.loan_approval'")) == 1


def test_a_registration_that_crashed_before_its_version_is_taken_up_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "create_model_version", crash)
        with pytest.raises(KeyboardInterrupt):
            _register(home)
    version = _register(home, replace(RECORD, registered_at=datetime(2024, 11, 25, tzinfo=UTC)))
    client = _client(home)
    experiment = client.get_experiment_by_name("training/loan_approval")
    assert len(client.search_runs([experiment.experiment_id])) == 1
    assert version.version == 1
    assert len(client.get_metric_history(version.mlflow_run_id, "auc")) == 1


def test_the_run_that_dagster_mlflow_opened_is_the_one_that_is_used(home: Path) -> None:
    experiment = _registry(home).experiment(project="loan_approval", environment="training")
    run = _client(home).create_run(experiment, tags={"dagster_run_id": RECORD.dagster_run_id})
    assert _register(home).mlflow_run_id == run.info.run_id


def test_another_run_makes_the_next_version(home: Path) -> None:
    _register(home)
    other = replace(RECORD, dagster_run_id="3bc94f3b-5838-41fa-8d9b-9d770cc3cfcd")
    assert _register(home, other).version == 2


def test_one_run_cannot_register_two_models(home: Path) -> None:
    _register(home)
    other = replace(RECORD, model=replace(RECORD.model, digest="f" * 64))
    with pytest.raises(RegistryError, match="another model"):
        _register(home, other)


def test_no_text_reaches_the_registry_unredacted(home: Path) -> None:
    _register(
        home,
        replace(
            RECORD,
            hyperparameters={"contact": EMAIL},
            started_by=EMAIL,
            code_version=f"0.1.0 {EMAIL}",
            model_card=f"# Ask {EMAIL}",
            evaluation={EMAIL: [EMAIL, {"worst": EMAIL}]},
        ),
    )
    stored = [path for path in home.rglob("*") if path.is_file()]
    assert len(stored) > 4
    assert not [path.name for path in stored if EMAIL.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dagster_run_id": "x' OR '1'='1"}, "dagster_run_id"),
        ({"policy_digest": "d" * 63}, "digest"),
        ({"datasets": ()}, "lineage"),
        ({"trained_at": datetime(2024, 11, 24)}, "time zone"),
        ({"metrics": {"auc": float("nan")}}, "finite"),
        ({"hyperparameters": {"note": "x" * 5001}}, "longer"),
        ({"evaluation": {"auc": {0.9}}}, "JSON"),
        ({"figures": {"../card.png": PNG}}, "name"),
        ({"figures": {"card.png": b"GIF89a"}}, "PNG"),
        ({"figures": {"card.png": PNG + bytes(FIGURE_BYTES)}}, "PNG"),
    ],
)
def test_a_record_that_is_incomplete_or_no_aggregate_is_refused(
    home: Path, change: dict[str, object], said: str
) -> None:
    with pytest.raises(RegistryError, match=said):
        _register(home, replace(RECORD, **change))
    assert _client(home).get_experiment_by_name("training/loan_approval") is None


@pytest.mark.parametrize(
    ("project", "environment"), [("loan/approval", "training"), ("loan", "../x"), ("", "training")]
)
def test_a_place_that_is_no_name_is_refused(home: Path, project: str, environment: str) -> None:
    with pytest.raises(RegistryError, match="lower-case"):
        _registry(home).register(project=project, environment=environment, record=RECORD)


def test_a_value_that_mlflow_refuses_is_not_in_the_error(home: Path) -> None:
    record = replace(RECORD, hyperparameters={"note: Meera Kulkarni?": "x"})
    with pytest.raises(RegistryError, match="MLflow refused") as caught:
        _register(home, record)
    assert "Meera" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_no_database_is_a_registry_error(home: Path) -> None:
    (home / "mlflow.db").write_bytes(b"Meera Kulkarni" * 1000)
    with pytest.raises(RegistryError, match=r"database|MLflow") as caught:
        _register(home)
    assert "Meera" not in str(caught.value)


def test_artefacts_that_cannot_be_written_are_a_registry_error(home: Path) -> None:
    (home / "artifacts").write_text("in the way")
    with pytest.raises(RegistryError, match="artefact root"):
        _register(home)
    with sqlite3.connect(home / "mlflow.db") as database:
        assert database.execute("SELECT count(*) FROM model_versions").fetchone() == (0,)


_OUTSIDE_PYTEST = """
import os, socket, sys
def refuse(*arguments, **_):
    print("CONNECTION", file=sys.stderr)
    raise OSError("no network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from secure_ml_tests.release.test_registry import RECORD, _register
from pathlib import Path
print(_register(Path(sys.argv[1])).version)
"""


def test_registering_outside_a_test_calls_nobody(empty_database: Path, tmp_path: Path) -> None:
    """MLflow may hold its tongue while it is tested, so this needs a process of its own."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", _OUTSIDE_PYTEST, str(tmp_path)],
        env={**SWITCHES, "PYTHONPATH": root, "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "1\n"
    assert "CONNECTION" not in done.stderr
    assert done.returncode == 0
