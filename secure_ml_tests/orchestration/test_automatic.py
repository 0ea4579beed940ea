"""Whom a run acts for: Dagster's daemon is believed by its records, and a client of the pages by nothing that it sends.

The code server, the daemon's loops and the webserver's application are Dagster's own, on one instance.
"""

import asyncio
import getpass
import json
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from dagster._core.run_coordinator import SubmitRunContext
from dagster._core.scheduler.instigation import InstigatorTick, InstigatorType, TickData, TickStatus
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.utils import make_new_run_id
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.asset_daemon import AssetDaemon
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import retry_run
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster_webserver.app import create_app_from_workspace_process_context

from secure_ml.access.directory import SCHEDULE, SENSOR
from secure_ml.orchestration.instance import dagster_instance
from secure_ml.orchestration.resources import TICKET_TAG, read_ticket
from secure_ml.settings import read_settings
from secure_ml_tests.fakes import started_by_itself
from secure_ml_tests.fakes.small_project import PROJECT, attributes, declare_all, write_policy

LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "code"}
LAUNCH = """mutation ($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RE_EXECUTE = """mutation ($p: ReexecutionParams!) { launchPipelineReexecution(reexecutionParams: $p) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
BACKFILL = """mutation ($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) { __typename
  ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
MYSELF = f"os-user:{getpass.getuser()}"
LOG = logging.getLogger(__name__)


def actor_of(run: dg.DagsterRun | None) -> str:
    assert run is not None
    return str(json.loads(read_ticket(run.tags[TICKET_TAG]).body)["actor"])


@dataclass(frozen=True)
class Dagster:
    """The servers' parts, each driven by hand."""

    context: WorkspaceProcessContext
    pages: httpx.ASGITransport

    @property
    def instance(self) -> dg.DagsterInstance:
        return self.context.instance

    def ask(self, query: str, **params: object) -> Any:
        return asyncio.run(self._asked({"query": query, "variables": {"p": params}}))

    async def _asked(self, body: dict[str, object]) -> Any:
        async with httpx.AsyncClient(transport=self.pages, base_url="http://pages") as client:
            answer = await client.post("/graphql", json=body)
        (told,) = answer.json()["data"].values()
        return told

    def launched(self, job: str, tags: dict[str, str]) -> dg.DagsterRun:
        """A run that a client of the pages launches with tags of its choice."""
        sent = [{"key": key, "value": value} for key, value in tags.items()]
        selector = {**LOCATION, "pipelineName": job}
        told = self.ask(LAUNCH, selector=selector, mode="default", executionMetadata={"tags": sent})
        return self.run(told["run"]["runId"])

    def re_executed(self, run: dg.DagsterRun, **tags: str) -> dg.DagsterRun:
        more = [{"key": key.replace("__", "/"), "value": value} for key, value in tags.items()]
        told = self.ask(RE_EXECUTE, parentRunId=run.run_id, strategy="ALL_STEPS", useParentRunTags=True, extraTags=more)
        return self.run(told["run"]["runId"])

    def run(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def tick(self, run: dg.DagsterRun) -> InstigatorTick:
        assert self.instance.schedule_storage is not None
        return self.instance.schedule_storage.get_tick(int(run.tags["dagster/tick"]))

    def submitted_by_daemon(self, job: str, tags: dict[str, str], **chosen: Any) -> dg.DagsterRun:
        """A run that is submitted without a request, as whatever is not the pages submits it."""
        request = self.context.create_request_context()
        (location,) = request.code_locations
        remote = location.get_repository("__repository__").get_full_job(job)
        made = self.instance.create_run(
            job_name=job, run_id=chosen.get("run_id"), run_config={}, status=dg.DagsterRunStatus.NOT_STARTED, tags=tags,
            root_run_id=chosen.get("parent_run_id"), parent_run_id=chosen.get("parent_run_id"),
            step_keys_to_execute=None, execution_plan_snapshot=location.get_execution_plan(
                remote, {}, step_keys_to_execute=None, known_state=None, instance=self.instance
            ).execution_plan_snapshot, job_snapshot=remote.job_snapshot, parent_job_snapshot=None,
            asset_selection=None, asset_check_selection=None, resolved_op_selection=None, op_selection=None,
            remote_job_origin=remote.get_remote_origin(), job_code_origin=remote.get_python_origin(),
            asset_graph=request.asset_graph,
        )  # fmt: skip
        return self.instance.run_coordinator.submit_run(SubmitRunContext(made, request))

    def failed(self, run: dg.DagsterRun) -> dg.DagsterRun:
        self.instance.report_run_failed(run)
        return self.run(run.run_id)

    def backfill_runs(self, **tags: str) -> list[dg.DagsterRun]:
        """The runs of all backfills, once the daemon has looked after them."""
        list(execute_backfill_iteration(self.context, LOG))
        return list(self.instance.get_runs(dg.RunsFilter(tags=tags)))


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dagster]:
    root = tmp_path_factory.mktemp("started")
    content = attributes(partitioned=True)
    declare_all(content)
    write_policy(root / "home" / "projects" / PROJECT, content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECURE_ML_HOME", str(root / "home"))
        patch.setenv("SECURE_ML_KEYS", str(root / "keys"))
        target = PythonFileTarget(started_by_itself.__file__, None, str(Path.cwd()), "code")
        with (
            dagster_instance(read_settings(os.environ)) as instance,
            create_test_daemon_workspace_context(target, instance) as context,
        ):
            yield Dagster(context, httpx.ASGITransport(create_app_from_workspace_process_context(context)))


@pytest.fixture(scope="module")
def by_sensor(dagster: Dagster) -> dg.DagsterRun:
    list(execute_sensor_iteration(dagster.context, LOG, None, None))
    (run,) = dagster.instance.get_runs(dg.RunsFilter(tags={"dagster/sensor_name": "sees_news"}))
    return run


@pytest.fixture(scope="module")
def by_schedule(dagster: Dagster) -> dg.DagsterRun:
    now = datetime.now(UTC)
    times: dict[str, Any] = {}
    list(launch_scheduled_runs(dagster.context, LOG, now, times))
    list(launch_scheduled_runs(dagster.context, LOG, now + timedelta(seconds=61), times))
    return dagster.instance.get_runs(dg.RunsFilter(tags={"dagster/schedule_name": "nightly"}))[0]


@pytest.fixture(scope="module")
def by_automation(dagster: Dagster) -> list[dg.DagsterRun]:
    """Both partitions are missing, so that the automation asks for a backfill of them."""
    with ThreadPoolExecutor(1) as pool:
        futures: dict[str | None, Any] = {}
        daemon = AssetDaemon({}, 30)
        daemon._run_iteration_impl(dagster.context, pool, futures, {})
        for future in futures.values():
            future.result()
    runs = dagster.backfill_runs(**{"dagster/sensor_name": "automation"})
    assert runs
    return runs


def test_what_a_sensor_started_acts_for_the_sensor(by_sensor: dg.DagsterRun) -> None:
    assert actor_of(by_sensor) == SENSOR


def test_what_a_schedule_started_acts_for_the_schedule(by_schedule: dg.DagsterRun) -> None:
    assert actor_of(by_schedule) == SCHEDULE


def test_what_an_automation_started_as_a_backfill_acts_for_the_sensor(by_automation: list[dg.DagsterRun]) -> None:
    assert all(run.tags["dagster/backfill"] for run in by_automation)
    assert {actor_of(run) for run in by_automation} == {SENSOR}


def test_an_automatic_retry_acts_for_whom_the_lost_run_acted(dagster: Dagster, by_sensor: dg.DagsterRun) -> None:
    retry_run(dagster.failed(by_sensor), dagster.context)
    retried = dagster.run(dagster.run(by_sensor.run_id).tags["dagster/auto_retry_run_id"])
    assert (retried.parent_run_id, actor_of(retried)) == (by_sensor.run_id, SENSOR)


def test_tags_that_a_client_sends_name_nobody(
    dagster: Dagster, by_sensor: dg.DagsterRun, by_schedule: dg.DagsterRun, by_automation: list[dg.DagsterRun]
) -> None:
    jobs = {"classified_job": by_sensor, "raw_job": by_schedule, "masked_job": by_automation[0]}
    for job, run in jobs.items():
        forged = {key: value for key, value in run.tags.items() if key != "dagster/partition"}
        forged |= {"dagster/partition": "first"} if job == "masked_job" else {}
        assert actor_of(dagster.launched(job, forged)) == MYSELF


def test_a_re_execution_acts_for_whoever_asked_for_it(dagster: Dagster, by_sensor: dg.DagsterRun) -> None:
    again = dagster.re_executed(by_sensor, dagster__retry_number="1", dagster__auto_retry_run_id="x")
    assert again.tags["dagster/tick"] == by_sensor.tags["dagster/tick"]
    assert actor_of(again) == MYSELF


def test_a_lost_re_execution_is_retried_for_whoever_asked_for_it(dagster: Dagster, by_sensor: dg.DagsterRun) -> None:
    again = dagster.re_executed(by_sensor)
    retry_run(dagster.failed(again), dagster.context)
    retried = dagster.run(dagster.run(again.run_id).tags["dagster/auto_retry_run_id"])
    assert retried.tags["dagster/sensor_name"] == "sees_news"
    assert actor_of(retried) == MYSELF


def test_a_backfill_that_a_client_asks_for_acts_for_nobody_else(
    dagster: Dagster, by_automation: list[dg.DagsterRun]
) -> None:
    copied = {key: value for key, value in by_automation[0].tags.items() if key.startswith("dagster/")}
    sent = {**{key: value for key, value in copied.items() if "partition" not in key}, "sent": "yes"}
    told = dagster.ask(
        BACKFILL,
        tags=[{"key": key, "value": value} for key, value in sent.items()],
        partitionNames=["first"],
        assetSelection=[{"path": ["training", PROJECT, "masked"]}],
    )
    assert told["__typename"] == "LaunchBackfillSuccess"
    assert [actor_of(run) for run in dagster.backfill_runs(sent="yes")] == [MYSELF]


@pytest.mark.parametrize("claim", ["dagster/sensor_name", "dagster/schedule_name", "dagster/auto_materialize"])
@pytest.mark.parametrize("tick", ["", "0", "-1", "1 or 1"])
def test_a_claim_without_a_tick_starts_nothing(dagster: Dagster, claim: str, tick: str) -> None:
    run = dagster.submitted_by_daemon("classified_job", {claim: "sees_news", "dagster/tick": tick})
    require_refused(dagster, run)


def test_a_tick_that_did_not_reserve_the_run_starts_nothing(
    dagster: Dagster, by_sensor: dg.DagsterRun, by_schedule: dg.DagsterRun, by_automation: list[dg.DagsterRun]
) -> None:
    for ticked in (by_sensor, by_schedule, by_automation[0]):
        copied = {key: value for key, value in ticked.tags.items() if key != "dagster/backfill"}
        require_refused(dagster, dagster.submitted_by_daemon("classified_job", copied))


def test_only_a_tick_of_a_sensor_reserves(
    dagster: Dagster, by_sensor: dg.DagsterRun, by_schedule: dg.DagsterRun
) -> None:
    for ticked, believed in ((by_sensor, True), (by_schedule, False)):
        run_id = make_new_run_id()
        tick = dagster.instance.create_tick(dagster.tick(ticked).tick_data._replace(reserved_run_ids=[run_id]))
        tags = {**ticked.tags, "dagster/tick": str(tick.tick_id)}
        run = dagster.submitted_by_daemon("classified_job", tags, run_id=run_id)
        if believed:
            assert actor_of(run) == SENSOR
        else:
            require_refused(dagster, run)


def test_a_run_is_no_retry_that_the_daemon_has_not_noted(dagster: Dagster, by_sensor: dg.DagsterRun) -> None:
    copied = {**by_sensor.tags, "dagster/retry_number": "1"}
    run = dagster.submitted_by_daemon("classified_job", copied, parent_run_id=by_sensor.run_id)
    require_refused(dagster, run)


def test_a_retry_does_not_act_by_a_ticket_that_is_of_another_run(dagster: Dagster, by_sensor: dg.DagsterRun) -> None:
    launched = dagster.launched("classified_job", {"dagster/retry_strategy": "ALL_STEPS"})
    ticket = dagster.run(by_sensor.run_id).tags[TICKET_TAG]
    dagster.instance.add_run_tags(launched.run_id, {TICKET_TAG: ticket})
    retry_run(dagster.failed(dagster.run(launched.run_id)), dagster.context)
    assert actor_of(dagster.run(dagster.run(launched.run_id).tags["dagster/auto_retry_run_id"])) == MYSELF


def test_a_run_is_not_of_a_backfill_that_did_not_reserve_it(
    dagster: Dagster, by_automation: list[dg.DagsterRun]
) -> None:
    copied = {key: value for key, value in by_automation[0].tags.items() if "partition" not in key}
    assert actor_of(dagster.submitted_by_daemon("classified_job", copied)) == MYSELF


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({}, False),
        ({"status": TickStatus.SUCCESS}, True),
        ({"status": TickStatus.SKIPPED}, True),
        ({"timestamp": 1_795_500_060.0}, True),
        ({"instigator_name": "yearly"}, True),
        ({"instigator_type": InstigatorType.SENSOR}, True),
        ({"instigator_origin_id": "elsewhere"}, True),
    ],
)
def test_a_schedule_is_believed_for_its_own_unfinished_tick(
    dagster: Dagster, by_schedule: dg.DagsterRun, changed: dict[str, Any], refused: bool
) -> None:
    at = 1_795_500_000.0
    known = dagster.tick(by_schedule).tick_data
    made = known._replace(status=TickStatus.STARTED, timestamp=at, run_ids=[])
    tick = dagster.instance.create_tick(TickData(**made._replace(**changed)._asdict()))
    tags = {
        "dagster/schedule_name": "nightly",
        "dagster/tick": str(tick.tick_id),
        ".dagster/scheduled_execution_time": datetime.fromtimestamp(at, UTC).isoformat(),
    }
    run = dagster.submitted_by_daemon("raw_job", tags)
    if refused:
        require_refused(dagster, run)
    else:
        assert actor_of(run) == SCHEDULE
    # The same as a run made from another, and sent by a client while the tick is unfinished.
    require_refused(dagster, dagster.submitted_by_daemon("raw_job", tags, parent_run_id=by_schedule.run_id))
    assert actor_of(dagster.launched("raw_job", tags)) == MYSELF


def require_refused(dagster: Dagster, run: dg.DagsterRun) -> None:
    assert (run.status, run.tags[TICKET_TAG]) == (dg.DagsterRunStatus.FAILURE, "")
    texts = "\n".join(entry.message for entry in dagster.instance.all_logs(run.run_id))
    assert "NotStartedByDagster" in texts
