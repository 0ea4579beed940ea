"""trained: one candidate model, paid for before it is learned."""

from decimal import Decimal
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.assets.stage import stage_asset
from secure_ml.orchestration.failures import safe_failures
from secure_ml.orchestration.keys import known_partitions
from secure_ml.orchestration.resources import Doors
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset

if TYPE_CHECKING:
    from secure_ml.privacy.charge import Charge


def build(project: Project, environment: str) -> dg.AssetsDefinition:
    """The asset for one project."""
    policy = project.policy

    @stage_asset(
        project,
        environment,
        Stage.TRAINED,
        description="A candidate model and how it was made. Its privacy loss is charged before a row is learned from.",
        kinds={policy.training.estimator.kind, "encrypted"},
        reads={"split": Stage.SPLIT},
        pool=f"{environment}_{policy.project}_training",
    )
    def trained(context: dg.AssetExecutionContext, doors: dg.ResourceParam[Doors], split: Dataset) -> Dataset:
        with safe_failures():
            from secure_ml.privacy.charging import BudgetCharged, ChargeBudget, read_charge
            from secure_ml.release.candidate import periods_of, train_candidate

            door = doors.door(context.asset_key, context.run)

            def charge(*, epsilon: Decimal, delta: Decimal, description: str) -> "Charge":
                asked = {"epsilon": str(epsilon), "delta": str(delta), "description": description}
                return read_charge(door.send(ChargeBudget, BudgetCharged, **asked), project=policy.project)

            return train_candidate(
                split,
                policy,
                periods=periods_of(door.lineage(split), known_partitions(policy)),
                subject_key=door.derive_key("subject", by=Stage.TRAINED),
                charge=charge,
            )

    return trained
