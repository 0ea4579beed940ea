from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from dagster._core.test_utils import create_run_for_test, instance_for_test

from secure_ml.access.stages import CHECKS, PARENTS, PARTITIONED, Stage
from secure_ml_tests.fakes.dagster_project import DagsterProject, dagster_project, key_of
from secure_ml_tests.fakes.small_project import make_small_project


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterProject]:
    """Definitions only: nothing is run."""
    project = make_small_project(tmp_path_factory.mktemp("clinic"), partitioned=True)
    with dg.DagsterInstance.ephemeral() as instance:
        yield dagster_project(project, instance)


@pytest.fixture(scope="module")
def graph(clinic: DagsterProject) -> AssetGraph:
    return clinic.definitions.resolve_asset_graph()


@pytest.fixture(scope="module")
def assets(clinic: DagsterProject) -> dict[Stage, dg.AssetsDefinition]:
    repository = clinic.definitions.get_repository_def()
    return {stage: repository.assets_defs_by_key[key_of(stage)] for stage in Stage}


def test_every_stage_is_an_asset_keyed_by_environment_project_and_stage(graph: AssetGraph) -> None:
    assert graph.get_all_asset_keys() == {dg.AssetKey(["training", "clinic", str(stage)]) for stage in Stage}


@pytest.mark.parametrize("stage", Stage)
def test_an_asset_reads_what_the_stages_allow_and_nothing_else(graph: AssetGraph, stage: Stage) -> None:
    assert graph.get(key_of(stage)).parent_keys == {key_of(parent) for parent in PARENTS[stage]}


@pytest.mark.parametrize("stage", Stage)
def test_an_asset_tells_people_what_it_is_and_whose(graph: AssetGraph, stage: Stage) -> None:
    node = graph.get(key_of(stage))

    assert len(node.description or "") > 20
    assert node.owners == ["team:clinic"]
    assert node.group_name == "clinic"
    assert {name: node.tags[name] for name in ("environment", "stage", "legal_basis")} == {
        "environment": "training",
        "stage": str(stage),
        "legal_basis": "consent",
    }
    assert "encrypted" in node.kinds
    assert len(node.kinds) <= 3


@pytest.mark.parametrize("stage", Stage)
def test_checks_are_those_of_the_stage_and_all_block(graph: AssetGraph, stage: Stage) -> None:
    checks = [graph.get(key) for key in graph.asset_check_keys if key.asset_key == key_of(stage)]

    assert sorted(check.key.name for check in checks) == sorted(CHECKS[stage])
    assert all(check.blocking and check.description for check in checks)
    assert {check.partitions_def is not None for check in checks} <= {stage in PARTITIONED}


def test_each_check_can_be_run_by_itself(graph: AssetGraph) -> None:
    assert all(graph.get_execution_set_asset_and_check_keys(key) == {key} for key in graph.asset_check_keys)


@pytest.mark.parametrize("stage", Stage)
def test_a_backfill_runs_one_partition_at_a_time(assets: dict[Stage, dg.AssetsDefinition], stage: Stage) -> None:
    expected = dg.BackfillPolicy.multi_run(1) if stage in PARTITIONED else None

    assert assets[stage].backfill_policy == expected
    assert (assets[stage].partitions_def is not None) == (stage in PARTITIONED)


def test_no_step_is_retried_since_every_error_is_a_refusal(assets: dict[Stage, dg.AssetsDefinition]) -> None:
    assert {stage for stage, asset in assets.items() if asset.op.retry_policy is not None} == set()


def test_training_has_a_pool_of_the_project(assets: dict[Stage, dg.AssetsDefinition]) -> None:
    pools = {stage: asset.op.pool for stage, asset in assets.items()}

    assert pools == {stage: "training_clinic_training" if stage is Stage.TRAINED else None for stage in Stage}


def test_raw_may_grow_old_and_classified_and_masked_follow_it_by_themselves(graph: AssetGraph) -> None:
    automated = {stage for stage in Stage if graph.get(key_of(stage)).automation_condition is not None}

    assert automated == {Stage.CLASSIFIED, Stage.MASKED}
    assert isinstance(graph.get(key_of(Stage.RAW)).freshness_policy, dg.FreshnessPolicy)


def test_automation_is_off_until_somebody_turns_it_on(clinic: DagsterProject) -> None:
    (switch,) = clinic.definitions.get_repository_def().sensor_defs

    assert switch.name == "clinic__protect_new_data"
    assert switch.default_status is dg.DefaultSensorStatus.STOPPED
    assert "budget" in (switch.description or "")


def test_two_jobs_protect_a_partition_and_train_on_all(clinic: DagsterProject) -> None:
    jobs = {
        name: clinic.definitions.resolve_job_def(name).asset_layer.executable_asset_keys
        for name in ("clinic__protect", "clinic__train")
    }

    assert jobs["clinic__protect"] == {key_of(stage) for stage in PARTITIONED}
    assert jobs["clinic__train"] == {key_of(stage) for stage in Stage if stage not in PARTITIONED}


@pytest.mark.parametrize("reason", RunFailureReason)
def test_a_lost_run_is_started_again_only_when_it_spends_no_budget(
    clinic: DagsterProject, tmp_path: Path, reason: RunFailureReason
) -> None:
    (switch,) = clinic.definitions.get_repository_def().sensor_defs
    tags = {
        "from the switch": switch.run_tags,
        "from the job that protects": clinic.definitions.resolve_job_def("clinic__protect").tags,
        "from the job that trains": clinic.definitions.resolve_job_def("clinic__train").tags,
        "from an asset's page": {},
    }
    declared = yaml.safe_load(Path("dagster.yaml").read_text(encoding="utf-8"))["run_retries"]

    with instance_for_test(overrides={"run_retries": declared}, temp_dir=str(tmp_path)) as instance:
        runs = {
            name: create_run_for_test(instance, "lost", status=dg.DagsterRunStatus.FAILURE, tags=dict(given))
            for name, given in tags.items()
        }
        retried = {name for name, run in runs.items() if auto_reexecution_should_retry_run(instance, run, reason)}

    # A step that failed was refused: only a run that was lost is started again.
    lost = reason is not RunFailureReason.STEP_FAILURE
    assert retried == ({"from the switch", "from the job that protects"} if lost else set())
