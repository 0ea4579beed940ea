"""The model registry: one MLflow run and one registered version for each registration.

Belongs here: MLflow's client and how a record is laid out in it. Must stay out: the model, of which only a reference is
stored, and MLflow's process-wide state (tracking URI, active run), which another step of the process may be using.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from secure_ml.guard.redaction import Redactor
from secure_ml.release.record import RegistrationRecord, RegistryError, check, files

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

Status = Literal["candidate"]

RUN_TAG = "dagster_run_id"
"""The tag by which dagster-mlflow finds the MLflow run of a Dagster run; the same run is used here."""


@dataclass(frozen=True)
class RegisteredVersion:
    """A version in the registry.

    Attributes:
        name: the registered model's name, `environment.project`.
        version: its number, from 1.
        mlflow_run_id: the run that holds its parameters, metrics and artefacts.
        artifact_uri: where its artefacts lie.
        status: `candidate` until people approve it.
    """

    name: str
    version: int
    mlflow_run_id: str
    artifact_uri: str
    status: Status


class ModelRegistry:
    """Registers models in MLflow without a server.

    Args:
        tracking_uri: database of runs and versions, for example `sqlite:///…/mlflow.db`.
        artifact_root: `file:` URI below which each project's artefacts lie.
        redactor: what every text passes before it is stored.
    """

    def __init__(self, tracking_uri: str, artifact_root: str, *, redactor: Redactor) -> None:
        self._tracking_uri = tracking_uri
        self._artifact_root = artifact_root.rstrip("/")
        self._redactor = redactor

    def register(self, *, project: str, environment: str, record: RegistrationRecord) -> RegisteredVersion:
        """Stores the record and makes a candidate version of the model.

        Registering again from the same Dagster run gives the version made before, also after a crash half-way.

        Raises:
            RegistryError: the record is refused, the run registered another model, or the registry cannot be used.
        """
        check(record, project=project, environment=environment)
        contents = files(record, redactor=self._redactor)
        name = f"{environment}.{project}"
        with _translated():
            run_id, artifact_uri = self._run(self._experiment(f"{environment}/{project}"), record)
            known = self._version_of(name, run_id, record)
            if known is None:
                self._log(run_id, record, contents)
                known = self._create_version(name, run_id, artifact_uri, record, contents)
            self._client.set_terminated(run_id)
        return RegisteredVersion(name, known, run_id, artifact_uri, "candidate")

    def experiment(self, *, project: str, environment: str) -> str:
        """Id of the project's experiment, named `environment/project`; made when there is none.

        Whoever opens a run by MLflow's own functions calls this first: they would make it with its artefacts in the
        working directory.

        Raises:
            RegistryError: the registry cannot be used.
        """
        with _translated():
            return self._experiment(f"{environment}/{project}")

    @cached_property
    def _client(self) -> "MlflowClient":
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=self._tracking_uri, registry_uri=self._tracking_uri)

    def _experiment(self, name: str) -> str:
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=f"{self._artifact_root}/{name}"))

    def _run(self, experiment_id: str, record: RegistrationRecord) -> tuple[str, str]:
        """Id and artefact URI of the run that belongs to the Dagster run; made when there is none."""
        found = self._client.search_runs(
            [experiment_id], filter_string=f"tags.{RUN_TAG} = '{record.dagster_run_id}'", max_results=1
        )
        run = found[0] if found else self._client.create_run(experiment_id, tags={RUN_TAG: record.dagster_run_id})
        return run.info.run_id, run.info.artifact_uri

    def _version_of(self, name: str, run_id: str, record: RegistrationRecord) -> int | None:
        for version in self._client.search_model_versions(f"run_id = '{run_id}'"):
            if version.name != name or version.tags.get("model_digest") != record.model.digest:
                raise RegistryError("this run has already registered another model; start a new run for this one")
            return int(version.version)
        return None

    def _log(self, run_id: str, record: RegistrationRecord, contents: Mapping[str, bytes]) -> None:
        from mlflow.entities import Metric, Param, RunTag

        redact = self._redactor.redact
        parameters = {"algorithm": record.algorithm, **record.hyperparameters}
        self._client.log_batch(
            run_id,
            # The time of training, not of logging: a repeated registration then adds no second point.
            metrics=[
                Metric(redact(key), float(value), _milliseconds(record.trained_at), 0)
                for key, value in record.metrics.items()
            ],
            params=[Param(redact(key), redact(str(value))) for key, value in parameters.items()],
            tags=[RunTag(redact(key), redact(value)) for key, value in _run_tags(record).items()],
        )
        with tempfile.TemporaryDirectory() as folder:
            for path, content in contents.items():
                file = Path(folder, path)
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(content)
            self._client.log_artifacts(run_id, folder)

    def _create_version(
        self, name: str, run_id: str, artifact_uri: str, record: RegistrationRecord, contents: Mapping[str, bytes]
    ) -> int:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        tags = {
            "status": "candidate",
            RUN_TAG: record.dagster_run_id,
            "model_version_id": record.model.version_id,
            "model_digest": record.model.digest,
            "policy_digest": record.policy_digest,
            "model_card_digest": hashlib.sha256(contents["model_card.md"]).hexdigest(),
            "evaluation_digest": hashlib.sha256(contents["evaluation.json"]).hexdigest(),
        }
        safe = {key: self._redactor.redact(value) for key, value in tags.items()}
        return int(self._client.create_model_version(name, source=artifact_uri, run_id=run_id, tags=safe).version)


def _run_tags(record: RegistrationRecord) -> dict[str, str]:
    tags = {
        "model_version_id": record.model.version_id,
        "model_digest": record.model.digest,
        "policy_digest": record.policy_digest,
        "code_version": record.code_version,
        "environment_lock_digest": record.environment_lock_digest,
        "started_by": record.started_by,
        "mlflow.user": record.started_by,
        "trained_at": record.trained_at.isoformat(),
        "registered_at": record.registered_at.isoformat(),
    }
    for version in record.datasets:
        place = f"{version.stage}.{version.partition}" if version.partition else version.stage
        tags[f"dataset.{place}"] = f"{version.version_id} {version.digest}"
    return tags


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@contextmanager
def _translated() -> Iterator[None]:
    """Turns errors of MLflow, its database and the disk into ours; their texts may quote what was to be stored."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except MlflowException as error:
        code = cast(str, error.error_code)
        raise RegistryError(f"MLflow refused the registration ({code}); check its database and the record") from None
    except SQLAlchemyError as error:
        kind = type(error).__name__
        raise RegistryError(f"MLflow's database cannot be used ({kind}); check its URL, disk and permissions") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RegistryError(f"the model's artefacts cannot be written ({reason}); check the artefact root") from None
