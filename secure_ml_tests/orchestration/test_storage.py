"""Dagster's storages: every method that writes is one that redacts, or one that is known to write nothing of people."""

import inspect
import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.runs.base import RunStorage
from dagster._core.storage.schedules.base import ScheduleStorage
from dagster._daemon.types import DaemonHeartbeat
from dagster._serdes import serialize_value
from dagster._utils.error import SerializableErrorInfo

from secure_ml.orchestration.instance import dagster_instance
from secure_ml.orchestration.names import NameRefused
from secure_ml.orchestration.storage import RedactedEvents, RedactedRuns, RedactedSchedules, RedactedSqliteStorage
from secure_ml.settings import Settings, read_settings
from secure_ml_tests.fakes.branch_loans import environment_of

EMAIL, PHONE = "zorblax@invented.example", "98765 01234"
SAID = f"call {PHONE} or {EMAIL}"

READ = ("get_", "has_", "supports_", "can_", "fetch_", "all_", "alembic_", "is_", "asset_records_have_", "default_")
"""How the names of methods begin that write nothing."""

OF_NO_PERSON = {
    EventLogStorage: {
        "check_concurrency_claim", "claim_concurrency_slot", "delete_concurrency_limit", "delete_dynamic_partition",
        "delete_events", "dispose", "end_watch", "free_concurrency_slot_for_step", "free_concurrency_slots_for_run",
        "handles_run_events_in_store_event", "optimize_for_webserver", "register_instance", "reindex_assets",
        "reindex_events", "update_asset_cached_status_data", "upgrade", "watch", "wipe", "wipe_asset",
        "wipe_asset_cached_status", "wipe_asset_partitions",
    },
    RunStorage: {
        # Snapshots are redacted in the one method that all of them go through.
        "add_execution_plan_snapshot", "add_job_snapshot", "add_snapshot",
        # Status and times; Dagster's daemons write their own positions as cursors.
        "add_run_telemetry", "handle_run_event", "replace_job_origin", "set_cursor_values",
        "delete_run", "dispose", "migrate", "optimize", "optimize_for_webserver", "register_instance", "wipe",
        "wipe_daemon_heartbeats",
    },
    ScheduleStorage: {
        "delete_instigator_state", "dispose", "migrate", "optimize", "optimize_for_webserver",
        "purge_asset_evaluations", "purge_ticks", "register_instance", "upgrade", "wipe",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("interface", "layer"),
    [(EventLogStorage, RedactedEvents), (RunStorage, RedactedRuns), (ScheduleStorage, RedactedSchedules)],
)
def test_no_method_of_this_release_writes_past_the_redaction(interface: type, layer: type) -> None:
    declared = {name for name in dir(interface) if not name.startswith(("_", *READ))}
    redacted = {name for name, _ in inspect.getmembers(layer, inspect.isfunction) if name in vars(layer)}

    assert declared - redacted - OF_NO_PERSON[interface] == set()
    assert not redacted & OF_NO_PERSON[interface]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment_of(tmp_path).items():
        monkeypatch.setenv(name, value)
    return read_settings(environment_of(tmp_path))


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance that dagster.yaml declares."""
    with dagster_instance(settings) as opened:
        yield opened


def test_servers_that_start_together_make_the_tables_once(settings: Settings, tmp_path: Path) -> None:
    config = _config(
        tmp_path / "shared",
        {
            "telemetry": {"enabled": False},
            "storage": {
                "custom": {
                    "module": RedactedSqliteStorage.__module__,
                    "class": RedactedSqliteStorage.__name__,
                    "config": {"base_dir": str(tmp_path / "shared" / "storage")},
                }
            },
        },
    )
    servers = multiprocessing.get_context("fork")
    started = [servers.Process(target=open_instance, args=(config,)) for _ in range(8)]
    for server in started:
        server.start()
    for server in started:
        server.join(60)
    assert [server.exitcode for server in started] == [0] * len(started)
    open_instance(config)


def open_instance(config: str) -> None:
    with dg.DagsterInstance.from_config(config) as instance:
        assert instance.get_runs_count() == 0
        assert list(instance.all_instigator_state()) == []


def job(config: object = None) -> dg.JobDefinition:
    @dg.op(config_schema=dg.Permissive())
    def nothing() -> None: ...

    @dg.job(config=config)
    def quiet() -> None:
        nothing()

    return quiet


def run_of(instance: dg.DagsterInstance, **options: object) -> dg.DagsterRun:
    return instance.create_run_for_job(job(), **options)  # type: ignore[arg-type]


def test_the_declared_storage_redacts(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.get_ref().storage, RedactedSqliteStorage)
    assert isinstance(instance.event_log_storage, RedactedEvents)
    assert isinstance(instance.run_storage, RedactedRuns)
    assert isinstance(instance.schedule_storage, RedactedSchedules)


def test_records_that_dagsters_own_storage_wrote_are_read(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        base = Path(instance.storage_directory()).parent
    plain = {"storage": {"sqlite": {"base_dir": str(base)}}, "telemetry": {"enabled": False}}
    with dg.DagsterInstance.from_config(_config(settings.home / "plain", plain)) as instance:
        run = run_of(instance, tags={"a": "b"})
        instance.report_engine_event("said", run)
    with dagster_instance(settings) as instance:
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        assert found.tags["a"] == "b"
        assert [e.message for e in instance.all_logs(run.run_id)]


def _config(folder: Path, content: dict[str, object]) -> str:
    import yaml

    folder.mkdir()
    (folder / "dagster.yaml").write_text(yaml.safe_dump(content))
    return str(folder)


def test_a_run_comes_back_as_it_is_stored(instance: dg.DagsterInstance) -> None:
    run = run_of(instance, tags={"contact": SAID, "dagster/partition": "2024-10"})

    stored = instance.get_run_by_id(run.run_id)
    assert stored is not None
    assert run.tags == stored.tags
    assert run.tags["contact"] == "call number or email"
    assert run.tags["dagster/partition"] == "2024-10"


@pytest.mark.parametrize(
    "options",
    [
        {"run_config": {"ops": {"nothing": {"config": {"who": EMAIL}}}}},
        {"tags": {"dagster/partition": PHONE}},
        {"tags": {"dagster/run_key": EMAIL}},
        {"asset_selection": frozenset({dg.AssetKey(["people", EMAIL])})},
    ],
    ids=["configuration", "partition", "run key", "asset"],
)
def test_a_run_that_names_a_person_is_refused_and_not_stored(
    instance: dg.DagsterInstance, options: dict[str, object]
) -> None:
    with pytest.raises(NameRefused):
        instance.add_run(dg.DagsterRun("quiet", **options))  # type: ignore[arg-type]
    assert instance.get_runs_count() == 0


def test_tags_that_come_later_are_redacted(instance: dg.DagsterInstance) -> None:
    run = run_of(instance)
    instance.add_run_tags(run.run_id, {"contact": SAID})

    stored = instance.get_run_by_id(run.run_id)
    assert stored is not None
    assert stored.tags["contact"] == "call number or email"


def test_what_code_declares_of_a_job_is_redacted_and_found_again(instance: dg.DagsterInstance) -> None:
    @dg.op(description=SAID)
    def described() -> None: ...

    @dg.job(description=SAID, metadata={"contact": SAID})
    def telling() -> None:
        described()

    run = instance.create_run_for_job(telling)
    assert run.job_snapshot_id == telling.get_job_snapshot_id()
    snapshot = instance.get_job_snapshot(run.job_snapshot_id)
    assert snapshot.description == "call [number] or [email]"
    assert EMAIL not in serialize_value(snapshot)


def test_an_event_of_the_instance_is_redacted(instance: dg.DagsterInstance) -> None:
    run = run_of(instance)
    instance.report_engine_event(SAID, run)

    (event,) = [e for e in instance.all_logs(run.run_id) if e.dagster_event is not None]
    assert event.dagster_event is not None
    assert event.dagster_event.message == "call [number] or [email]"


def test_partitions_are_not_made_by_a_run(instance: dg.DagsterInstance) -> None:
    with pytest.raises(NameRefused, match="declared"):
        instance.add_dynamic_partitions("people", ["anybody"])
    assert instance.get_dynamic_partitions("people") == []


@pytest.mark.parametrize("name", [EMAIL, PHONE])
def test_a_pool_is_not_named_by_a_value(instance: dg.DagsterInstance, name: str) -> None:
    with pytest.raises(NameRefused):
        instance.event_log_storage.set_concurrency_slots(name, 1)


def backfill(**fields: object) -> PartitionBackfill:
    return PartitionBackfill(
        backfill_id="a", status=BulkActionStatus.REQUESTED, from_failure=False, backfill_timestamp=1.0,
        **{"tags": {}, **fields},  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_backfill_is_redacted_or_refused(instance: dg.DagsterInstance) -> None:
    error = SerializableErrorInfo(SAID, [], "ValueError")
    instance.add_backfill(backfill(tags={"contact": SAID}, title=SAID, description=SAID, error=error))
    stored = instance.get_backfill("a")
    assert stored is not None
    assert (stored.title, stored.description) == ("call [number] or [email]",) * 2
    assert stored.tags == {"contact": "call number or email"}
    assert "ValueError" in str(stored.error)
    for fields in ({"partition_names": [EMAIL]}, {"run_config": {"who": PHONE}}):
        with pytest.raises(NameRefused):
            instance.update_backfill(backfill(**fields))


def test_a_daemon_tells_its_errors_by_class(instance: dg.DagsterInstance) -> None:
    error = SerializableErrorInfo(f"ValueError: {SAID}", [f'  File "a.py", line 1\n    {SAID}\n'], "ValueError")
    instance.add_daemon_heartbeat(DaemonHeartbeat(1.0, "SENSOR", "a", [error]))

    (stored,) = instance.get_daemon_heartbeats()["SENSOR"].errors or ()
    assert stored.message == "ValueError: its text is left out, it may quote a value\n"
    assert stored.stack == ['  File "a.py", line 1\n']
