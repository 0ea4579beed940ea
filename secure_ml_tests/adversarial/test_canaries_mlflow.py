"""Values in every field of a registration: none stands in any byte of MLflow's database or artefacts.

The record is made by hand: what this project registers holds no value in the first place.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import dagster as dg
import mlflow
import pytest
from mlflow.tracking import MlflowClient

from secure_ml.guard.redaction import Redactor
from secure_ml.orchestration.registry import RegistryResource
from secure_ml.release.record import RegistryError
from secure_ml.release.registry import ModelRegistry
from secure_ml.settings import read_settings
from secure_ml_tests.adversarial.search import Texts, search_folder
from secure_ml_tests.fakes.branch_loans import environment_of
from secure_ml_tests.fakes.pictures import picture
from secure_ml_tests.release.test_registry import RECORD

NAME, PHONE, EMAIL, PAN = "Zorblax Quillfeather", "98765 01234", "zorblax.canary@invented.example", "ABCPE1234F"
SAID = f"{EMAIL} {PHONE} {PAN}"
TEXTS = Texts(
    {"phone": [PHONE, PHONE.replace(" ", "")], "email": [EMAIL], "pan": [PAN], "name in a picture or a list": [NAME]}
)
CARELESS = replace(
    RECORD,
    algorithm=f"dp_additive for {EMAIL}",
    hyperparameters={"contact": SAID, "phone": 9876501234, "first": {"who": EMAIL}},
    started_by=EMAIL,
    code_version=f"0.1.0 {PAN}",
    model_card=f"# Made for {SAID}\n\nCall {PHONE}.\n",
    evaluation={
        "contact": SAID,
        PHONE: [9876501234, {"partial": EMAIL}],
        "quality": f"{{'partial_unexpected_list': ['{NAME}'], 'observed_value': ['{NAME}']}}",
    },
    figures={"calibration.png": picture(Author=NAME, Title=SAID) + NAME.encode()},
)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def home(empty_database: Path, tmp_path: Path) -> Path:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return tmp_path


def registry(home: Path) -> ModelRegistry:
    return ModelRegistry(f"sqlite:///{home}/mlflow.db", (home / "artifacts").as_uri(), redactor=Redactor())


def test_no_value_of_a_careless_record_is_stored(home: Path) -> None:
    version = registry(home).register(project="loan_approval", environment="training", record=CARELESS)

    assert version.status == "candidate"
    assert search_folder(TEXTS, home) == {}
    run = MlflowClient(tracking_uri=f"sqlite:///{home}/mlflow.db").get_run(version.mlflow_run_id)
    assert run.data.params["contact"] == "[email] [number] [pan]"
    assert run.data.tags["mlflow.user"] == "[email]"


@pytest.mark.parametrize(
    "field",
    [{"hyperparameters": {EMAIL: 1}}, {"metrics": {f"auc of {PAN}": 0.9}}],
    ids=["a parameter's name", "a metric's name"],
)
def test_a_name_that_mlflow_does_not_take_once_redacted_is_refused(home: Path, field: dict[str, object]) -> None:
    with pytest.raises(RegistryError) as refused:
        registry(home).register(project="loan_approval", environment="training", record=replace(RECORD, **field))  # type: ignore[arg-type]
    assert EMAIL not in str(refused.value)
    assert search_folder(TEXTS, home) == {}


def test_a_figure_that_is_no_whole_picture_is_refused(home: Path) -> None:
    spoilt = replace(RECORD, figures={"calibration.png": picture()[:-20]})
    with pytest.raises(RegistryError, match=r"calibration\.png is no whole picture"):
        registry(home).register(project="loan_approval", environment="training", record=spoilt)


@pytest.fixture
def opened(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """The registry of an installation, opened as the asset `registered` opens it, by a user with a telling login."""
    monkeypatch.setenv("LOGNAME", "zorblax.canary")
    monkeypatch.setattr("sys.argv", [f"/home/{NAME}/run.py"])
    settings = read_settings(environment_of(tmp_path))
    resource = RegistryResource(settings)
    settings.mlflow.mkdir(parents=True)
    shutil.copy(empty_database, settings.mlflow / "mlflow.db")

    @dg.asset
    def registered(context: dg.AssetExecutionContext) -> None:
        with resource.opened(context, project="loan_approval", environment="training"):
            assert mlflow.active_run() is not None

    assert dg.materialize([registered]).success
    return MlflowClient(tracking_uri=resource.tracking_uri)


def test_a_run_bears_neither_the_login_nor_the_path_of_the_program(opened: MlflowClient, tmp_path: Path) -> None:
    experiment = opened.get_experiment_by_name("training/loan_approval")
    assert experiment is not None
    (run,) = opened.search_runs([experiment.experiment_id])

    told = {key: run.data.tags[f"mlflow.{key}"] for key in ("user", "source.name", "source.type")}
    assert told == {"user": "secure_ml", "source.name": "secure_ml", "source.type": "JOB"}
    texts = Texts({"login": ["zorblax.canary"], "path": [f"{NAME}/run.py"]})
    assert search_folder(texts, tmp_path) == {}
