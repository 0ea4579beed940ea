"""The model registry as a resource: MLflow through dagster-mlflow, so that one Dagster run is one MLflow run.

Belongs here: opening dagster-mlflow's run for the step. Must stay out: what is registered (release).

dagster-mlflow's own resource is of the old style and changes MLflow's process-wide state; it stays behind this one,
which opens it for one block and closes it again.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.guard.redaction import Redactor
from secure_ml.settings import Settings

if TYPE_CHECKING:
    from secure_ml.release.registry import ModelRegistry


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
        registry = ModelRegistry(self.tracking_uri, artefacts, redactor=Redactor())
        # MLflow's own functions would make the experiment with its artefacts in the working directory.
        registry.experiment(project=project, environment=environment)
        config = {"experiment_name": f"{environment}/{project}", "mlflow_tracking_uri": self.tracking_uri}
        MlFlow(_MlflowContext(context.log, context.run, context.run_id, config))
        try:
            yield registry
        finally:
            mlflow.end_run()
