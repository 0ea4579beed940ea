import re
from pathlib import Path

import dagster as dg
import pytest

from secure_ml.access.stages import Stage
from secure_ml.orchestration.runs import Planned, RunError, execute, plan
from secure_ml.policy.projects import Project
from secure_ml_tests.fakes.dagster_project import DagsterProject, dagster_project
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, make_small_project

PROTECT = (Stage.RAW, Stage.CLASSIFIED, Stage.MASKED)
TRAIN = (Stage.SPLIT, Stage.TRAINED, Stage.VALIDATED, Stage.REGISTERED)


@pytest.fixture
def pieces(tmp_path: Path) -> Project:
    return make_small_project(tmp_path, partitioned=True).installation.projects[PROJECT]


def test_every_partition_is_protected_before_all_are_trained_on(pieces: Project) -> None:
    assert plan(pieces, until=Stage.REGISTERED, partition=None) == (
        Planned("clinic__protect", PROTECT, "first"),
        Planned("clinic__protect", PROTECT, "second"),
        Planned("clinic__train", TRAIN, ""),
    )


def test_nothing_behind_the_last_stage_is_run(pieces: Project) -> None:
    assert plan(pieces, until=Stage.CLASSIFIED, partition="second") == (
        Planned("clinic__protect", (Stage.RAW, Stage.CLASSIFIED), "second"),
    )


def test_one_partition_is_not_trained_on(pieces: Project) -> None:
    assert [planned.stages for planned in plan(pieces, until=Stage.REGISTERED, partition="first")] == [PROTECT]


def test_a_table_of_one_piece_has_one_run_of_each_kind(tmp_path: Path) -> None:
    whole = make_small_project(tmp_path).installation.projects[PROJECT]

    assert [run.partition for run in plan(whole, until=Stage.TRAINED, partition=None)] == ["", ""]


def test_an_unknown_partition_is_refused_with_those_that_there_are(pieces: Project) -> None:
    with pytest.raises(RunError, match="has no partition 'third'; it has first, second"):
        plan(pieces, until=Stage.RAW, partition="third")


def test_runs_stop_at_the_first_that_fails_and_say_why(under_declared: DagsterProject) -> None:
    project = under_declared.project.installation.projects[PROJECT]
    runs = plan(project, until=Stage.MASKED, partition=None)
    told = []

    outcomes = execute(
        under_declared.project.installation,
        under_declared.definitions,
        under_declared.instance,
        project,
        ENVIRONMENT,
        runs,
        on_done=told.append,
    )

    (outcome,) = outcomes
    assert told == outcomes
    assert (outcome.planned, outcome.success) == (runs[0], False)
    assert [(check, blocking) for check, _, blocking in outcome.failed_checks] == [
        ("classified.no_undeclared_sensitive_column", True)
    ]
    assert "diagnosis" in outcome.failed_checks[0][1]
    assert under_declared.instance.get_run_by_id(outcome.run_id) is not None


def test_a_run_that_passes_fails_no_check(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    made = dagster_project(make_small_project(tmp_path), instance)
    project = made.project.installation.projects[PROJECT]

    (outcome,) = execute(
        made.project.installation,
        made.definitions,
        instance,
        project,
        ENVIRONMENT,
        plan(project, until=Stage.RAW, partition=None),
        on_done=lambda outcome: None,
    )

    assert (outcome.success, outcome.failures, outcome.failed_checks) == (True, (), ())


@pytest.mark.parametrize(
    ("masked", "told"),
    [("1", r"failed; where, is told above under error ID [0-9a-f-]{36}"), ("0", r"failed \(NameError\)")],
)
def test_an_error_that_no_step_foresaw_is_told_by_its_id_or_its_class(
    clinic: DagsterProject, monkeypatch: pytest.MonkeyPatch, masked: str, told: str
) -> None:
    monkeypatch.setenv("DAGSTER_REDACT_USER_CODE_ERRORS", masked)
    monkeypatch.delattr("secure_ml.orchestration.assets.classified.safe_failures")
    project = clinic.project.installation.projects[PROJECT]
    runs = plan(project, until=Stage.CLASSIFIED, partition="first")

    (outcome,) = execute(
        clinic.project.installation,
        clinic.definitions,
        clinic.instance,
        project,
        ENVIRONMENT,
        runs,
        on_done=lambda outcome: None,
    )

    (failure,) = outcome.failures
    assert re.search(f"__classified {told}$", failure)
