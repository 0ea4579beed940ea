"""A project as Dagster definitions: assets, checks and jobs of one environment.

Belongs here: which modules make up a project. Must stay out: resources, which `definitions` binds.
"""

import dagster as dg

from secure_ml.access.stages import PARTITIONED, Stage
from secure_ml.orchestration.assets import classified, masked, raw, registered, split, trained, validated
from secure_ml.orchestration.automation import NEVER_RETRIED, RETRIED_WHEN_LOST, protect_new_data
from secure_ml.orchestration.checks import classified as classified_checks
from secure_ml.orchestration.checks import masked as masked_checks
from secure_ml.orchestration.checks import raw as raw_checks
from secure_ml.orchestration.checks import split as split_checks
from secure_ml.orchestration.checks import trained as trained_checks
from secure_ml.orchestration.checks import validated as validated_checks
from secure_ml.orchestration.keys import asset_key, partitions_of
from secure_ml.policy.projects import Project

_ASSETS = (raw, classified, masked, split, trained, validated, registered)
_CHECKS = (raw_checks, classified_checks, masked_checks, split_checks, trained_checks, validated_checks)


def job_names(project: str) -> tuple[str, str]:
    """Names of the project's two jobs: protect (one partition) and train (the whole)."""
    return f"{project}__protect", f"{project}__train"


def project_definitions(project: Project, environment: str) -> dg.Definitions:
    """Assets, checks and jobs of one project in one environment."""
    project = project.seen_in(environment)
    policy = project.policy
    protect, train = job_names(policy.project)
    by_partition = [asset_key(environment, policy.project, stage) for stage in Stage if stage in PARTITIONED]
    whole = [asset_key(environment, policy.project, stage) for stage in Stage if stage not in PARTITIONED]
    return dg.Definitions(
        assets=[module.build(project, environment) for module in _ASSETS],
        asset_checks=[module.build(project, environment) for module in _CHECKS],
        sensors=[protect_new_data(policy.project)],
        jobs=[
            dg.define_asset_job(
                protect,
                dg.AssetSelection.assets(*by_partition),
                partitions_def=partitions_of(policy),
                description="Step 1, for each partition: raw, classified, masked; with their checks.",
                tags=RETRIED_WHEN_LOST,
            ),
            dg.define_asset_job(
                train,
                dg.AssetSelection.assets(*whole),
                description="Step 2, once for all: split to registered, with their checks; spends privacy budget.",
                tags=NEVER_RETRIED,
            ),
        ],
    )
