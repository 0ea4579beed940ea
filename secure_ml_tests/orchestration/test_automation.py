"""classified and masked follow a new partition of raw by themselves, but only once its checks have passed."""

from pathlib import Path

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml_tests.fakes.dagster_project import DagsterProject, dagster_project, key_of
from secure_ml_tests.fakes.small_project import Attributes, make_small_project


class Watch:
    """The switch as if it were on: each look tells which partitions it asks for."""

    def __init__(self, project: DagsterProject) -> None:
        self._project = project
        self._cursor: dg.AssetDaemonCursor | None = None
        self.look()

    def look(self) -> dict[str, set[str | None]]:
        project = self._project
        result = dg.evaluate_automation_conditions(project.definitions, project.instance, cursor=self._cursor)
        self._cursor = result.cursor
        asked = {str(s): result.get_requested_partitions(key_of(s)) for s in (Stage.CLASSIFIED, Stage.MASKED)}
        return {stage: partitions for stage, partitions in asked.items() if partitions}


def test_every_new_partition_is_asked_for_and_not_only_the_latest(clinic: DagsterProject) -> None:
    watch = Watch(clinic)
    for partition in ("second", "first"):
        assert clinic.run(Stage.RAW, partition=partition).success
        # The first partition lies before the latest one; masked waits for classified, which is not there yet.
        assert watch.look() == {"classified": {partition}}
        assert watch.look() == {}


def test_masked_follows_once_classified_has_passed(clinic: DagsterProject) -> None:
    assert clinic.run(Stage.RAW, partition="first").success
    watch = Watch(clinic)

    assert clinic.run(Stage.CLASSIFIED, partition="first").success

    assert watch.look() == {"masked": {"first"}}


def test_nothing_is_asked_for_after_a_check_has_failed(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    def ask_for_more_rows(policy: Attributes) -> None:
        policy["quality"] = {"minimum_rows": 1000, "expectations": []}

    project = dagster_project(make_small_project(tmp_path, partitioned=True, change=ask_for_more_rows), instance)
    watch = Watch(project)

    assert not project.run(Stage.RAW, partition="first").success

    assert project.materialisation(Stage.RAW).partition == "first"
    assert watch.look() == {}


def test_nothing_is_asked_for_while_a_check_is_missing(clinic: DagsterProject) -> None:
    watch = Watch(clinic)

    clinic.instance.report_runless_asset_event(dg.AssetMaterialization(key_of(Stage.RAW), partition="first"))

    assert watch.look() == {}
