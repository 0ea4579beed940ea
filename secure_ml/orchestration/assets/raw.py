"""raw: the source as it came, encrypted on arrival under the policy's labels."""

from datetime import timedelta

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.assets.stage import stage_asset
from secure_ml.orchestration.failures import safe_failures
from secure_ml.orchestration.resources import Doors
from secure_ml.orchestration.schemas import SCHEMA, declared_schema
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset

_FRESH_FOR = timedelta(days=45)


def build(project: Project, environment: str) -> dg.AssetsDefinition:
    """The asset for one project."""
    policy = project.policy

    @stage_asset(
        project,
        environment,
        Stage.RAW,
        description=f"{policy.title}: the source as it came, encrypted on arrival. Purpose: {policy.purpose}",
        kinds={policy.source.format, "encrypted"},
        metadata={"policy_digest": policy.digest, SCHEMA: declared_schema(policy)},
        freshness=dg.FreshnessPolicy.time_window(fail_window=_FRESH_FOR),
    )
    def raw(context: dg.AssetExecutionContext, doors: dg.ResourceParam[Doors]) -> Dataset:
        with safe_failures():
            from secure_ml.posture import require_source

            if (name := policy.source.url_env) is not None:
                require_source(doors.installation.settings, doors.environ.get(name, ""), name=name)
            door = doors.door(context.asset_key, context.run)
            partition = context.partition_key if context.has_partition_key else ""
            return door.receive(partition, folder=project.folder, environ=doors.environ)

    return raw
