import os
import stat
import tempfile
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.instance.config import PoolGranularity
from dagster._core.run_coordinator import QueuedRunCoordinator

from secure_ml.orchestration import instance as module
from secure_ml.orchestration.automation import NEVER_RETRIED, RETRIED_WHEN_LOST
from secure_ml.orchestration.compute_logs import RedactedComputeLogManager
from secure_ml.orchestration.instance import dagster_instance, prepare_dagster_home
from secure_ml.settings import Settings, SettingsError, read_settings
from secure_ml_tests.fakes.branch_loans import environment_of


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(environment_of(tmp_path))


def _job() -> dg.JobDefinition:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def job() -> None:
        nothing()

    return job


def test_the_home_is_private_and_holds_the_shipped_file(settings: Settings) -> None:
    environ: dict[str, str] = {}

    home = prepare_dagster_home(settings, environ)

    assert home == settings.dagster
    assert (home / "dagster.yaml").read_bytes() == Path("dagster.yaml").read_bytes()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert environ["DAGSTER_HOME"] == str(home)
    assert environ["SECURE_ML_DAGSTER_STORAGE"] == str(home / "storage")


def test_a_storage_that_is_set_already_stays(settings: Settings) -> None:
    environ = {"SECURE_ML_DAGSTER_STORAGE": "/elsewhere"}

    prepare_dagster_home(settings, environ)

    assert environ["SECURE_ML_DAGSTER_STORAGE"] == "/elsewhere"


def test_a_home_that_cannot_be_made_says_what_to_set(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")

    with pytest.raises(SettingsError, match="set SECURE_ML_HOME"):
        prepare_dagster_home(settings, {})


def test_a_missing_dagster_yaml_is_told(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "project_root", lambda: tmp_path)

    with pytest.raises(SettingsError, match=r"holds dagster\.yaml"):
        prepare_dagster_home(settings, {})


def test_the_shipped_file_declares_the_instance_that_the_design_asks_for(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        assert type(instance.compute_log_manager) is RedactedComputeLogManager
        assert instance.telemetry_enabled is False
        assert instance.nux_enabled is False
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 0
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
        assert Path(instance.storage_directory()).is_relative_to(settings.dagster)


def test_a_run_waits_for_its_pools_before_it_starts(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        config = instance.get_concurrency_config()
        assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
    assert (config.pool_config.pool_granularity, config.pool_config.default_pool_limit) == (PoolGranularity.RUN, 1)
    assert config.run_queue_config is not None
    assert config.run_queue_config.max_concurrent_runs == 2


def test_a_lost_run_is_noticed_and_neither_resumed_nor_retried_unless_it_asks(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_poll_interval_seconds == 30
        assert instance.run_monitoring_start_timeout_seconds == 180
        assert instance.run_monitoring_cancel_timeout_seconds == 60
        # A resumed run would go on with what its lost process knew, such as an open write.
        assert instance.run_monitoring_max_resume_run_attempts == 0
        assert (instance.run_retries_enabled, instance.run_retries_max_retries) == (True, 0)
        assert instance.run_retries_retry_on_asset_or_op_failure is False


def test_only_a_run_that_asks_for_it_is_started_again(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        for tags in (RETRIED_WHEN_LOST, NEVER_RETRIED, {}):
            instance.report_run_failed(instance.create_run_for_job(_job(), tags=tags))
        runs = instance.get_runs()
    decided = {run.tags.get("dagster/max_retries"): run.tags.get("dagster/will_retry", "false") for run in runs}
    assert decided == {"2": "true", "0": "false", None: "false"}


def test_ticks_are_kept_for_a_stated_number_of_days(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        kept = {of: instance.get_tick_retention_settings(of) for of in InstigatorType}
    days = {of: {status.value: number for status, number in by.items()} for of, by in kept.items()}
    assert set(days[InstigatorType.SCHEDULE].values()) == {90}
    for of in (InstigatorType.SENSOR, InstigatorType.AUTO_MATERIALIZE):
        assert days[of].items() >= {"SKIPPED": 7, "FAILURE": 30, "SUCCESS": 90}.items()


def test_the_environment_is_as_before_once_the_instance_is_closed(settings: Settings) -> None:
    before, folder = dict(os.environ), tempfile.gettempdir()

    with dagster_instance(settings):
        assert Path(tempfile.gettempdir()).is_relative_to(settings.home)

    assert dict(os.environ) == before
    assert tempfile.gettempdir() == folder


def test_a_storage_variable_that_is_unset_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    home = prepare_dagster_home(settings, {})
    monkeypatch.delenv("SECURE_ML_DAGSTER_STORAGE", raising=False)

    with (
        pytest.raises(Exception, match='"SECURE_ML_DAGSTER_STORAGE" which is not set'),
        dg.DagsterInstance.from_config(str(home)),
    ):
        pass
