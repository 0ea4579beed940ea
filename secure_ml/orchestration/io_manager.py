"""The door as Dagster's IO manager: registered as `io_manager`, so that a forgotten key cannot fall back to pickle.

Belongs here: the translation of Dagster's contexts. Must stay out: storage itself.
"""

import dagster as dg

from secure_ml.access.stages import SECTIONS, Stage
from secure_ml.orchestration.failures import safe_failures
from secure_ml.orchestration.metadata import stored_metadata
from secure_ml.orchestration.pieces import Pieces
from secure_ml.orchestration.resources import Doors, stage_of
from secure_ml.vault.dataset import Dataset

READ_BY = "secure_ml/read_by"
"""Metadata of an input: the stage that reads it, which decides what the door gives."""


class DoorIOManager(dg.IOManager):
    """Hands datasets to assets, and stores what they return, through the door of the run."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def handle_output(self, context: dg.OutputContext, obj: Dataset) -> None:
        """Streams the dataset into a new version; facts that are known only then go into the materialisation."""
        with safe_failures():
            if not isinstance(obj, Dataset):
                raise TypeError("an asset returns a Dataset; anything else has no labels and is not stored")
            key = context.asset_key
            door = self._doors.door(key, context.step_context.dagster_run)
            partition = context.partition_key if context.has_partition_key else ""
            stage = stage_of(key)
            stored = door.write(stage, partition, obj)
            policy = self._doors.installation.policy_of(key.path[1])
            context.add_output_metadata(stored_metadata(stored, stage, policy))
            # Semi-public: the version is known only after the stream has ended.
            context.step_context.set_data_version(key, dg.DataVersion(stored.digest))

    def load_input(self, context: dg.InputContext) -> Dataset | Pieces:
        """The version's dataset, unread; for a partitioned asset read by an unpartitioned one, its pieces."""
        with safe_failures():
            key = context.asset_key
            by = Stage((context.definition_metadata or {})[READ_BY])
            door = self._doors.door(key, context.step_context.dagster_run)
            if not context.has_asset_partitions:
                stage = stage_of(key)
                return door.open(stage, "", by=by, sections=SECTIONS[by] if stage is Stage.SPLIT else ())
            if context.has_partition_key:
                return door.open(stage_of(key), context.asset_partition_key, by=by)
            return Pieces(door, stage_of(key), tuple(context.asset_partition_keys), by=by)
