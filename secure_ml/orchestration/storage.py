"""Dagster's databases, which redact before they store: the one place that every event, run and tick passes.

Belongs here: what each storage is given to write. Must stay out: how a record is made safe (records, names).

dagster.yaml declares one of the two classes at the end. Each holds Dagster's own storages under a layer over their
methods that write; a test holds the methods of every release against that layer.
"""

import fcntl
import logging
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self, cast

import dagster as dg
from dagster._config.config_schema import UserConfigSchema
from dagster._core.definitions.asset_key import EntityKey
from dagster._core.definitions.declarative_automation.serialized_objects import AutomationConditionEvaluationWithRunIds
from dagster._core.definitions.sensor_definition import SensorType
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.scheduler.instigation import InstigatorState, InstigatorTick, TickData
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sql_run_storage import SnapshotType, SqlRunStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sql_schedule_storage import SqlScheduleStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._daemon.types import DaemonHeartbeat
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from secure_ml.guard.process import protect_process
from secure_ml.orchestration.names import (
    NameRefused,
    require_configuration,
    require_name,
    require_partition,
    safe_position,
)  # fmt: skip
from secure_ml.orchestration.records import safe_record, safe_snapshot, safe_tags, safe_text
from secure_ml.orchestration.redacted_errors import replace_error_logger
from secure_ml.posture import require_dagster_storage
from secure_ml.settings import read_settings

_log = logging.getLogger(__name__)

_CURSOR_OF_A_PROJECT = frozenset({None, SensorType.STANDARD, SensorType.UNKNOWN})
"""Sensors whose cursor is what their function makes of it; all others' is Dagster's own."""


class RedactedEvents(SqlEventLogStorage):
    """The event log: what steps, sensors and servers report."""

    def store_event(self, event: EventLogEntry) -> None:
        """Stores it without values of persons."""
        super().store_event(safe_record(event))

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """As `store_event`, for several."""
        super().store_event_batch([safe_record(event) for event in events])

    def add_dynamic_partitions(self, partitions_def_name: str, partition_keys: Sequence[str]) -> None:
        """Refuses: such keys are made from data, and stand in names, tags and logs.

        Raises:
            NameRefused: always.
        """
        raise NameRefused("partitions are declared, never made by a run; declare them in the policy or in code")

    def set_concurrency_slots(self, concurrency_key: str, num: int) -> None:
        """Limits a pool, if its name is one."""
        super().set_concurrency_slots(require_name(concurrency_key, "a pool"), num)

    def initialize_concurrency_limit_to_default(self, concurrency_key: str) -> bool:
        """Limits a pool, if its name is one."""
        return super().initialize_concurrency_limit_to_default(require_name(concurrency_key, "a pool"))


class RedactedRuns(SqlRunStorage):
    """Runs with their tags and configuration, backfills, snapshots of jobs, the daemon's errors."""

    def add_run(self, dagster_run: dg.DagsterRun) -> dg.DagsterRun:
        """Stores the run, and gives it as it is stored.

        Raises:
            NameRefused: its configuration, partition or selection looks like a person's value.
        """
        return super().add_run(_safe_run(dagster_run))

    def add_historical_run(self, dagster_run: dg.DagsterRun, run_creation_time: datetime) -> dg.DagsterRun:
        """As `add_run`."""
        return super().add_historical_run(_safe_run(dagster_run), run_creation_time)

    def add_run_tags(self, run_id: str, new_tags: Mapping[str, str]) -> None:
        """Adds them without values of persons."""
        super().add_run_tags(run_id, safe_tags(new_tags))

    def add_backfill(self, partition_backfill: PartitionBackfill) -> None:
        """Stores it without values of persons.

        Raises:
            NameRefused: its configuration or one of its partitions looks like one.
        """
        super().add_backfill(_safe_backfill(partition_backfill))

    def update_backfill(self, partition_backfill: PartitionBackfill) -> None:
        """As `add_backfill`."""
        super().update_backfill(_safe_backfill(partition_backfill))

    def add_daemon_heartbeat(self, daemon_heartbeat: DaemonHeartbeat) -> None:
        """Stores it with its errors' classes and places."""
        super().add_daemon_heartbeat(safe_record(daemon_heartbeat))

    def _add_snapshot(self, snapshot_id: str, snapshot_obj: Any, snapshot_type: SnapshotType) -> str:
        # Under the id of what code declares, so that it is found again.
        return super()._add_snapshot(snapshot_id, safe_snapshot(snapshot_obj), snapshot_type)


class RedactedSchedules(SqlScheduleStorage):
    """Sensors and schedules: their state, their ticks, and what automation found."""

    def add_instigator_state(self, state: InstigatorState) -> InstigatorState:
        """Stores it with a cursor that holds positions only."""
        return super().add_instigator_state(_safe_state(state))

    def update_instigator_state(self, state: InstigatorState) -> InstigatorState:
        """As `add_instigator_state`."""
        return super().update_instigator_state(_safe_state(state))

    def create_tick(self, tick_data: TickData) -> InstigatorTick:
        """Stores it without values of persons."""
        return super().create_tick(_safe_tick(tick_data))

    def update_tick(self, tick: InstigatorTick) -> InstigatorTick:
        """As `create_tick`."""
        return super().update_tick(tick._replace(tick_data=_safe_tick(tick.tick_data)))

    def add_auto_materialize_asset_evaluations(
        self, evaluation_id: int, asset_evaluations: Sequence[AutomationConditionEvaluationWithRunIds[EntityKey]]
    ) -> None:
        """Stores them without values of persons."""
        super().add_auto_materialize_asset_evaluations(evaluation_id, [safe_record(e) for e in asset_evaluations])


class RedactedStorage(DagsterStorage, ConfigurableClass):
    """The three storages of an instance, as dagster.yaml names them.

    Args:
        runs: redacts.
        events: redacts.
        schedules: redacts.
        inst_data: what dagster.yaml says, kept for Dagster's other processes.
    """

    def __init__(
        self,
        runs: RedactedRuns,
        events: RedactedEvents,
        schedules: RedactedSchedules,
        *,
        inst_data: ConfigurableClassData | None,
    ) -> None:
        self._runs, self._events, self._schedules, self._inst_data = runs, events, schedules, inst_data
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster does not annotate it

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Opens the storages. Every process of Dagster does so first, and is made safe in what it says of itself."""
        protect_process()
        replace_error_logger()
        return cls._opened(inst_data, config_value)

    @classmethod
    @abstractmethod
    def _opened(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """The storages that dagster.yaml describes."""

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What dagster.yaml says."""
        return self._inst_data

    @property
    def run_storage(self) -> RedactedRuns:
        """Runs."""
        return self._runs

    @property
    def event_log_storage(self) -> RedactedEvents:
        """Events."""
        return self._events

    @property
    def schedule_storage(self) -> RedactedSchedules:
        """Sensors and schedules."""
        return self._schedules

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Tells the storages which instance they are of."""
        super().register_instance(instance)
        for storage in (self._runs, self._events, self._schedules):
            if not storage.has_instance:
                storage.register_instance(instance)

    def dispose(self) -> None:
        """Closes them."""
        for storage in (self._events, self._runs, self._schedules):
            storage.dispose()


class _SqliteEvents(RedactedEvents, SqliteEventLogStorage):
    pass


class _SqliteRuns(RedactedRuns, SqliteRunStorage):
    pass


class _SqliteSchedules(RedactedSchedules, SqliteScheduleStorage):
    pass


class RedactedSqliteStorage(RedactedStorage):
    """Dagster's SQLite files below one folder, laid out as Dagster's own storage lays them out."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """The folder."""
        return {"base_dir": dg.StringSource}

    @classmethod
    def _opened(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Opens the files, and makes those that are missing.

        Raises:
            ProfileNotMet: the installation's profile keeps no records in files.
        """
        require_dagster_storage(read_settings(os.environ), f"sqlite:///{config_value['base_dir']}")
        base = Path(config_value["base_dir"])
        with _one_at_a_time(base):
            return cls(
                _SqliteRuns.from_local(str(base / "history")),
                _SqliteEvents(str(base / "history" / "runs")),
                cast(_SqliteSchedules, _SqliteSchedules.from_local(str(base / "schedules"))),
                inst_data=inst_data,
            )


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Servers start together, and two that make the same tables leave files that none can open."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _safe_run(run: dg.DagsterRun) -> dg.DagsterRun:
    """The run with safe tags, once its configuration and its selection are names.

    Raises:
        NameRefused: they are not.
    """
    require_configuration(run.run_config, "the run's configuration")
    for key in (*(run.op_selection or ()), *(run.step_keys_to_execute or ())):
        require_name(key, "a step of the run's selection")
    for asset in run.asset_selection or ():
        require_name(asset.to_user_string(), "an asset of the run's selection")
    return run.with_tags(safe_tags(run.tags))


def _safe_backfill(backfill: PartitionBackfill) -> PartitionBackfill:
    require_configuration(backfill.run_config or {}, "the backfill's configuration")
    for key in backfill.partition_names or ():
        require_partition(key, "a partition of the backfill")
    return backfill._replace(
        tags=safe_tags(backfill.tags),
        title=backfill.title and safe_text(backfill.title),
        description=backfill.description and safe_text(backfill.description),
        error=backfill.error and safe_record(backfill.error),
    )


def _safe_state(state: InstigatorState) -> InstigatorState:
    """The state of a sensor, whose cursor, where code of a project made it, holds positions only."""
    data = state.sensor_instigator_data
    if data is None or data.sensor_type not in _CURSOR_OF_A_PROJECT:
        return state
    safe = data._replace(cursor=_safe_cursor(data.cursor, state.instigator_name))
    return state._replace(instigator_data=safe)


def _safe_tick(tick: TickData) -> TickData:
    return tick._replace(
        error=tick.error and safe_record(tick.error),
        skip_reason=tick.skip_reason and safe_text(tick.skip_reason),
        cursor=_safe_cursor(tick.cursor, tick.instigator_name),
        run_keys=[safe_text(key) for key in tick.run_keys],
        run_requests=tick.run_requests and _safe_requests(tick.run_requests),
    )


def _safe_requests(requests: Sequence[dg.RunRequest]) -> list[dg.RunRequest]:
    """The runs that a tick asks for; none, where one would be refused: a daemon takes them up from here again."""
    try:
        for request in requests:
            require_configuration(request.run_config, "the run's configuration")
            require_partition(request.partition_key or "", "a partition")
            require_name(request.run_key or "", "a run key")
        return [request._replace(tags=safe_tags(request.tags)) for request in requests]
    except NameRefused:
        return []


def _safe_cursor(cursor: str | None, sensor: str) -> str | None:
    safe = None if cursor is None else safe_position(cursor)
    if safe != cursor:
        _log.warning(
            "the cursor of the sensor %s looked like a person's value and was redacted; keep a position in it: "
            "a time, a count, a name",
            sensor,
        )
    return safe
