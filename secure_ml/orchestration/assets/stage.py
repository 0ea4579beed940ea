"""The frame that every stage's asset shares: key, owners, tags, partitions, inputs through the door.

Belongs here: what Dagster is told of any stage alike. Must stay out: what a stage does.
"""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from secure_ml.access.stages import PARTITIONED, Stage
from secure_ml.orchestration.io_manager import READ_BY
from secure_ml.orchestration.keys import asset_key, partitions_of
from secure_ml.policy.projects import Project

Decorator = Callable[[Callable[..., Any]], dg.AssetsDefinition]


def stage_asset(
    project: Project,
    environment: str,
    stage: Stage,
    *,
    description: str,
    kinds: set[str],
    reads: Mapping[str, Stage] | None = None,
    metadata: Mapping[str, Any] | None = None,
    automation: dg.AutomationCondition[dg.AssetKey] | None = None,
    freshness: dg.FreshnessPolicy | None = None,
    pool: str | None = None,
) -> Decorator:
    """The decorator of a stage's function.

    Args:
        project: the project.
        environment: the environment.
        stage: the stage.
        description: what it promises, for people.
        kinds: what it is made with.
        reads: inputs by argument name; each is opened through the door for this stage.
        metadata: facts known before a run.
        automation: when Dagster materialises it by itself.
        freshness: how old it may become.
        pool: limits how many run at once.
    """
    policy = project.policy
    partitions = partitions_of(policy) if stage in PARTITIONED else None
    ins = {
        name: dg.AssetIn(key=asset_key(environment, policy.project, parent), metadata={READ_BY: str(stage)})
        for name, parent in (reads or {}).items()
    }
    return dg.asset(
        key=asset_key(environment, policy.project, stage),
        ins=ins,
        group_name=policy.project,
        owners=list(policy.owners),
        tags={"environment": environment, "stage": str(stage), "legal_basis": policy.legal_basis},
        description=description,
        kinds=kinds,
        metadata=metadata,
        partitions_def=partitions,
        backfill_policy=None if partitions is None else dg.BackfillPolicy.multi_run(1),
        automation_condition=automation,
        freshness_policy=freshness,
        pool=pool,
    )
