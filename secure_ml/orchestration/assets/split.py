"""split: train, validation and test sides by the subject's keyed hash, each stored under keys of its own."""

from typing import Any

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.orchestration.assets.stage import stage_asset
from secure_ml.orchestration.failures import safe_failures
from secure_ml.orchestration.pieces import pieces_through
from secure_ml.orchestration.resources import Doors
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset


class SplitConfig(dg.Config):
    """What a run of `split` may be told.

    Attributes:
        through: last partition that goes in; the latest whose checks passed by default.
    """

    through: str | None = None


def build(project: Project, environment: str) -> dg.AssetsDefinition:
    """The asset for one project."""
    policy = project.policy

    @stage_asset(
        project,
        environment,
        Stage.SPLIT,
        description="Train, validation and test sides by the subject's keyed hash: one person is always on one side.",
        kinds={"encrypted"},
        reads={"masked": Stage.MASKED},
    )
    def split(
        context: dg.AssetExecutionContext,
        config: SplitConfig,
        doors: dg.ResourceParam[Doors],
        masked: Any,  # Pieces, or the Dataset of a table of one piece; Dagster's inputs know no union
    ) -> Dataset:
        with safe_failures():
            from secure_ml.training.split import split as split_sides

            door = doors.door(context.asset_key, context.run)
            pieces = pieces_through(masked, config.through, allow_holes=policy.split.allow_holes)
            return split_sides(pieces, policy, subject_key=door.derive_key("subject", by=Stage.SPLIT))

    return split
