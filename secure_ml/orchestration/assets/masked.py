"""masked: only the columns that the purpose needs, each treated; only the subjects who may be used."""

from dataclasses import replace

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.assets.stage import stage_asset
from secure_ml.orchestration.automation import when_inputs_pass
from secure_ml.orchestration.failures import safe_failures
from secure_ml.orchestration.resources import Doors
from secure_ml.orchestration.schemas import masked_lineage
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset


def build(project: Project, environment: str) -> dg.AssetsDefinition:
    """The asset for one project."""
    policy = project.policy
    lineage = masked_lineage(policy, environment)

    @stage_asset(
        project,
        environment,
        Stage.MASKED,
        description="Only the columns that the purpose needs, each treated, of the subjects who agreed to it.",
        kinds={"presidio", "encrypted"},
        reads={"raw": Stage.RAW, "classified": Stage.CLASSIFIED},
        metadata=lineage,
        automation=when_inputs_pass(),
    )
    def masked(
        context: dg.AssetExecutionContext, doors: dg.ResourceParam[Doors], raw: Dataset, classified: Dataset
    ) -> dg.MaterializeResult[Dataset]:
        with safe_failures():
            from secure_ml.protection.mask.masking import Masking

            door = doors.door(context.asset_key, context.run)
            masking = Masking(policy, key_for=lambda purpose: door.derive_key(purpose, by=Stage.MASKED))
            # Opening classified proves that its checks passed; its rows are not needed.
            origins = (*raw.origins, *classified.origins)
            return dg.MaterializeResult(value=replace(masking.apply(raw), origins=origins), metadata=lineage)

    return masked
