"""Which runs Dagster started by itself, and for which service: proved by its own records, never by a run's tags.

Belongs here: those proofs. Must stay out: the ticket (coordinator), what a service may do (the kernel decides).

A client of Dagster's pages chooses the tags of its runs and backfills, and a re-execution copies its parent's. It does
not choose a run's id, and it writes no tick: these are the proofs. Who writes Dagster's database can forge both.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.scheduler.instigation import InstigatorTick, InstigatorType, TickStatus
from dagster._core.storage.tags import (
    AUTO_MATERIALIZE_TAG,
    AUTO_RETRY_RUN_ID_TAG,
    BACKFILL_ID_TAG,
    SCHEDULE_NAME_TAG,
    SCHEDULED_EXECUTION_TIME_TAG,
    SENSOR_NAME_TAG,
    TICK_ID_TAG,
)

from secure_ml.access.directory import SCHEDULE, SENSOR
from secure_ml.orchestration.resources import TICKET_TAG, read_ticket

_CLAIMS = (SENSOR_NAME_TAG, SCHEDULE_NAME_TAG, AUTO_MATERIALIZE_TAG)
_TICK_ID = re.compile(r"[0-9]{1,18}")
_UNFINISHED = frozenset({TickStatus.STARTED, TickStatus.FAILURE})
"""A tick that failed is taken up again without being started anew."""


class NotStartedByDagster(Exception):
    """A run says that a sensor or a schedule started it, and Dagster's records do not."""


def service_of(context: SubmitRunContext, instance: dg.DagsterInstance) -> str:
    """The service that a run acts for; empty where it acts for whoever submits it.

    - A run that came with a request to the pages acts for whoever sent it, whatever its tags say.
    - An automatic retry acts for whom the failed run acted, once the daemon has noted its id there.
    - A run of a backfill acts for the sensor whose tick reserved the backfill's id, if the backfill reserved the run's.
    - A sensor reserves the ids of its runs in its tick before it submits them.
    - A schedule reserves none: its tick of that time is unfinished, in the run's own repository. That a client cannot
      send, since its runs come with a request.

    Raises:
        NotStartedByDagster: the run's tags name a sensor or a schedule, and none of that holds.
    """
    run, tags = context.dagster_run, context.dagster_run.tags
    if _came_with_a_request(context):
        return ""
    failed = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    if failed is not None and failed.tags.get(AUTO_RETRY_RUN_ID_TAG) == run.run_id:
        return _service_of_ticket(failed)
    if BACKFILL_ID_TAG in tags:
        backfill = instance.get_backfill(tags[BACKFILL_ID_TAG])
        if backfill is None or run.run_id not in backfill.reserved_run_ids:
            return ""
        return SENSOR if _is_reserved(backfill.backfill_id, _tick(instance, backfill.tags)) else ""
    if not any(claim in tags for claim in _CLAIMS):
        return ""
    tick = _tick(instance, tags)
    if _is_reserved(run.run_id, tick):
        return SENSOR
    if _is_scheduled(run, tick):
        return SCHEDULE
    raise NotStartedByDagster(
        "its tags say that a sensor or a schedule started it, and no tick of one does; launch it without these tags"
    )


def _came_with_a_request(context: SubmitRunContext) -> bool:
    """Whether the pages submit the run: their workspace knows the request, the daemon's has none."""
    return getattr(context.workspace, "source", context) is not None


def _tick(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> InstigatorTick | None:
    tick_id = tags.get(TICK_ID_TAG, "")
    if instance.schedule_storage is None or not _TICK_ID.fullmatch(tick_id):
        return None
    return next(iter(instance.schedule_storage.get_ticks_by_ids([int(tick_id)])), None)


def _is_reserved(run_or_backfill: str, tick: InstigatorTick | None) -> bool:
    """Whether a sensor's tick, or one of the automation without a sensor, reserved the id."""
    if tick is None or tick.instigator_type is InstigatorType.SCHEDULE:
        return False
    return run_or_backfill in (tick.tick_data.reserved_run_ids or ())


def _is_scheduled(run: dg.DagsterRun, tick: InstigatorTick | None) -> bool:
    """Whether the tick is of a schedule of the run's own repository, and of the time that the run names."""
    if tick is None or tick.instigator_type is not InstigatorType.SCHEDULE or run.remote_job_origin is None:
        return False
    origin = run.remote_job_origin.repository_origin.get_instigator_origin(tick.instigator_name)
    at = datetime.fromtimestamp(tick.timestamp, UTC).isoformat()
    return (
        tick.status in _UNFINISHED
        and run.parent_run_id is None
        and run.tags.get(SCHEDULED_EXECUTION_TIME_TAG) == at
        and tick.instigator_origin_id == origin.get_id()
    )


def _service_of_ticket(run: dg.DagsterRun) -> str:
    """For which service the coordinator got the run's ticket; it writes that over whatever a client sent."""
    if not run.tags.get(TICKET_TAG):
        return ""
    ticket = json.loads(read_ticket(run.tags[TICKET_TAG]).body)
    actor = str(ticket["actor"])
    return actor if ticket["run_id"] == run.run_id and actor in {SENSOR, SCHEDULE} else ""
