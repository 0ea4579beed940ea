"""classified and masked follow a new partition of raw by themselves, but only once its checks have passed."""

from pathlib import Path

import dagster as dg
import pytest

from secure_ml.access.stages import Stage
from secure_ml_tests.fakes.dagster_project import DagsterProject, dagster_project, key_of
from secure_ml_tests.fakes.small_project import Attributes, declare_all, make_small_project

JANUARY, FEBRUARY = "2024-01", "2024-02"


def by_month(policy: Attributes) -> None:
    """Only partitions in time have a latest one."""
    declare_all(policy)
    policy["source"]["partitions"] = {"kind": "monthly", "start": JANUARY, "end": FEBRUARY}


@pytest.fixture
def months(tmp_path: Path, instance: dg.DagsterInstance) -> DagsterProject:
    """Two months, every check of which passes."""
    project = make_small_project(tmp_path, partitioned=True, change=by_month)
    for name, month in (("first", JANUARY), ("second", FEBRUARY)):
        (project.folder / f"table-{name}.csv").rename(project.folder / f"table-{month}.csv")
    return dagster_project(project, instance)


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


def test_every_new_partition_is_asked_for_and_not_only_the_latest(months: DagsterProject) -> None:
    watch = Watch(months)
    for partition in (FEBRUARY, JANUARY):
        assert months.run(Stage.RAW, partition=partition).success
        # January lies before the latest one; masked waits for classified, which is not there yet.
        assert watch.look() == {"classified": {partition}}
        assert watch.look() == {}


def test_masked_follows_once_classified_has_passed(months: DagsterProject) -> None:
    assert months.run(Stage.RAW, partition=JANUARY).success
    watch = Watch(months)

    assert months.run(Stage.CLASSIFIED, partition=JANUARY).success

    assert watch.look() == {"masked": {JANUARY}}


def test_nothing_is_asked_for_after_a_check_has_failed(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    def ask_for_more_rows(policy: Attributes) -> None:
        policy["quality"] = {"minimum_rows": 1000, "expectations": []}

    project = dagster_project(make_small_project(tmp_path, partitioned=True, change=ask_for_more_rows), instance)
    watch = Watch(project)

    assert not project.run(Stage.RAW, partition="first").success

    assert project.materialisation(Stage.RAW).partition == "first"
    assert watch.look() == {}


def test_nothing_is_asked_for_while_a_check_is_missing(months: DagsterProject) -> None:
    watch = Watch(months)

    months.instance.report_runless_asset_event(dg.AssetMaterialization(key_of(Stage.RAW), partition=JANUARY))

    assert watch.look() == {}
