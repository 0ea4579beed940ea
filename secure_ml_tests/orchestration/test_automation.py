"""classified and masked follow a new partition of raw by themselves, but only once its checks have passed."""

import dagster as dg

from secure_ml.access.stages import CHECKS, Stage
from secure_ml_tests.fakes.dagster_project import DagsterProject, key_of

_EVERY = tuple(CHECKS[Stage.RAW])


def requested(project: DagsterProject, events: dict[str, tuple[tuple[str, bool], ...]]) -> dict[str, set[str]]:
    """What is asked for, by stage, after these partitions of raw became new with these verdicts.

    Args:
        project: its instance holds nothing yet.
        events: by partition, the checks that were evaluated and whether they passed.
    """
    cursor = dg.evaluate_automation_conditions(project.definitions, project.instance).cursor
    for partition, verdicts in events.items():
        project.instance.report_runless_asset_event(dg.AssetMaterialization(key_of(Stage.RAW), partition=partition))
        for name, passed in verdicts:
            evaluation = dg.AssetCheckEvaluation(
                asset_key=key_of(Stage.RAW), check_name=name, passed=passed, metadata={}, partition=partition
            )
            project.instance.report_runless_asset_event(evaluation)
    result = dg.evaluate_automation_conditions(project.definitions, project.instance, cursor=cursor)
    return {
        str(stage): set(result.get_requested_partitions(key_of(stage))) - {None}
        for stage in (Stage.CLASSIFIED, Stage.MASKED)
        if result.get_requested_partitions(key_of(stage))
    }


def test_an_older_partition_is_asked_for_when_its_checks_have_passed(clinic: DagsterProject) -> None:
    passed = tuple((name, True) for name in _EVERY)

    assert requested(clinic, {"first": passed}).get("classified") == {"first"}


def test_nothing_is_asked_for_when_a_check_has_failed(clinic: DagsterProject) -> None:
    assert requested(clinic, {"first": (("schema", True), ("quality", False))}) == {}


def test_nothing_is_asked_for_while_a_check_is_missing(clinic: DagsterProject) -> None:
    assert requested(clinic, {"first": (("schema", True),)}) == {}


def test_nothing_is_asked_for_when_nothing_is_new(clinic: DagsterProject) -> None:
    assert requested(clinic, {}) == {}
