"""The model registry as a resource: MLflow through dagster-mlflow, so that one Dagster run is one MLflow run.

Belongs here: opening dagster-mlflow's run for the step. Must stay out: what is registered (release).

dagster-mlflow's own resource is of the old style and changes MLflow's process-wide state; it stays behind this one,
which opens it for one block and closes it again.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.guard.redaction import Redactor
from secure_ml.orchestration.names import vocabulary
from secure_ml.settings import Settings

if TYPE_CHECKING:
    from secure_ml.release.registry import ModelRegistry


_RUN_CONTEXT = "MLFLOW_RUN_CONTEXT"
_OURS: Mapping[str, str] = MappingProxyType(
    {"mlflow.user": "secure_ml", "mlflow.source.name": "secure_ml", "mlflow.source.type": "JOB"}
)
"""What stands in place of the login and of the program's path, by which MLflow would name a run."""


@dataclass(frozen=True)
class _MlflowContext:
    """What dagster-mlflow asks of a resource's context."""

    log: dg.DagsterLogManager
    dagster_run: dg.DagsterRun
    run_id: str
    resource_config: Mapping[str, object]


class RegistryResource:
    """The installation's registry.

    Args:
        settings: says where MLflow's database and artefacts lie.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def tracking_uri(self) -> str:
        """MLflow's database."""
        return f"sqlite:///{self._settings.mlflow / 'mlflow.db'}"

    @contextmanager
    def opened(self, context: dg.AssetExecutionContext, *, project: str, environment: str) -> "Iterator[ModelRegistry]":
        """The registry, while dagster-mlflow's run for this Dagster run is active.

        Raises:
            RegistryError: the registry cannot be used.
        """
        import mlflow
        from dagster_mlflow.resources import MlFlow

        from secure_ml.release.registry import ModelRegistry

        self._settings.mlflow.mkdir(mode=0o700, parents=True, exist_ok=True)
        artefacts = (self._settings.mlflow / "artifacts").as_uri()
        registry = ModelRegistry(self.tracking_uri, artefacts, redactor=Redactor(keep=vocabulary()))
        # MLflow's own functions would make the experiment with its artefacts in the working directory.
        registry.experiment(project=project, environment=environment)
        config = {"experiment_name": f"{environment}/{project}", "mlflow_tracking_uri": self.tracking_uri}
        with _named_by_us():
            MlFlow(_MlflowContext(context.log, context.run, context.run_id, config))
        try:
            yield registry
        finally:
            mlflow.end_run()


@contextmanager
def _named_by_us() -> Iterator[None]:
    """Runs that MLflow starts in the block bear no login and no path; who started one is told at its registration."""
    before = os.environ.get(_RUN_CONTEXT)
    os.environ[_RUN_CONTEXT] = json.dumps(dict(_OURS))
    try:
        yield
    finally:
        if before is None:
            del os.environ[_RUN_CONTEXT]
        else:
            os.environ[_RUN_CONTEXT] = before
