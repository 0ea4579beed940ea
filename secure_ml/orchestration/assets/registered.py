"""registered: a version in the MLflow registry with its model card; the model itself stays in the vault."""

from datetime import UTC, datetime

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.assets.stage import stage_asset
from secure_ml.orchestration.failures import safe_failures
from secure_ml.orchestration.provenance import code_version, environment_lock_digest
from secure_ml.orchestration.registry import RegistryResource
from secure_ml.orchestration.resources import Doors
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset


def build(project: Project, environment: str) -> dg.AssetsDefinition:
    """The asset for one project."""
    policy = project.policy

    @stage_asset(
        project,
        environment,
        Stage.REGISTERED,
        description="A candidate version in the model registry, with its model card. People approve it later.",
        kinds={"mlflow", "encrypted"},
        reads={"trained": Stage.TRAINED, "validated": Stage.VALIDATED},
    )
    def registered(
        context: dg.AssetExecutionContext,
        doors: dg.ResourceParam[Doors],
        registry: dg.ResourceParam[RegistryResource],
        trained: Dataset,
        validated: Dataset,
    ) -> Dataset:
        with safe_failures():
            from secure_ml.release.registration import Circumstances, register_candidate

            door = doors.door(context.asset_key, context.run)
            circumstances = Circumstances(
                environment,
                context.run_id,
                door.actor,
                code_version(),
                environment_lock_digest(),
                doors.installation.settings.profile,
                datetime.now(UTC),
            )
            with registry.opened(context, project=policy.project, environment=environment) as opened:
                return register_candidate(
                    trained,
                    validated,
                    policy,
                    lineage=door.lineage(validated),
                    circumstances=circumstances,
                    registry=opened,
                )

    return registered
