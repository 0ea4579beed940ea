"""Security events in Dagster: the asset, its checks, the sensor, and the webhook's receiver, each for real."""

import base64
import getpass
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import update

from secure_ml.access.actors import Actors
from secure_ml.access.directory import Appointed
from secure_ml.audit.log import AuditEvent
from secure_ml.guard import webhook
from secure_ml.guard.security_events import DETECTORS
from secure_ml.orchestration import security
from secure_ml.orchestration.egress import guarded_doors
from secure_ml.orchestration.resources import Doors
from secure_ml.orchestration.security import GROUP, SENSOR, security_definitions
from secure_ml.state.tables import audit_entries
from secure_ml_tests.docs.pages import blocks
from secure_ml_tests.fakes.dagster_project import failures
from secure_ml_tests.fakes.loopback_server import LoopbackServer, status
from secure_ml_tests.fakes.small_project import (
    ENVIRONMENT,
    PROJECT,
    SmallProject,
    make_small_project,
    open_small_project,
)

KEY = dg.AssetKey([ENVIRONMENT, GROUP, "events"])
PLACE = f"{ENVIRONMENT}/{PROJECT}/raw"
NODE = "training__security__events"
FOUNDER = f"os-user:{getpass.getuser()}"
ACTOR = "person:zorblax.quillfeather"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Watched:
    """A small project's security events, in definitions that a new process would make anew."""

    def __init__(self, project: SmallProject, instance: dg.DagsterInstance) -> None:
        self.project, self.instance = project, instance
        self.environ = {"SECURE_ML_HOME": str(project.home), "SECURE_ML_KEYS": str(project.keys)}
        self.restart()

    def restart(self) -> None:
        doors = Doors(lambda: self.project.installation, environ=self.environ)
        defined = security_definitions(ENVIRONMENT, doors)
        bound = dg.Definitions(resources={"doors": guarded_doors(doors)}, executor=dg.in_process_executor)
        self.definitions = dg.Definitions.merge(defined, bound)
        self.cursor: str | None = None

    def record(self, action: str = "version.open", outcome: str = "allowed", **changes: Any) -> int:
        place = changes.pop("resource", PLACE)
        actor = changes.pop("actor", ACTOR)
        details = changes
        return self.project.installation.log.record(AuditEvent(action, place, outcome, actor, "run-1", details))  # type: ignore[arg-type]

    def reach_out(self, **changes: Any) -> int:
        return self.record(
            "egress.attempt", "refused", kind="connect", destination="a public address", port=443, **changes
        )

    def materialise(self) -> dg.ExecuteInProcessResult:
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(instance=self.instance, run_config=_QUIET, raise_on_error=False)

    def evaluate(self) -> dg.SensorResult:
        sensor = self.definitions.get_repository_def().get_sensor_def(SENSOR)
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result

    def size(self) -> int:
        return self.project.installation.log.size()


@pytest.fixture
def watched(tmp_path: Path, instance: dg.DagsterInstance) -> Watched:
    made = Watched(make_small_project(tmp_path), instance)
    made.record(actor=FOUNDER)
    return made


@pytest.fixture
def received() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def receiver(
    watched: Watched, received: list[tuple[str, dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LoopbackServer]:
    monkeypatch.setattr(webhook, "_BACKOFF_SECONDS", 0.01)
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + base64.b64encode(b"k" * 32).decode())
    secret.chmod(0o600)

    def take(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        received.append((environ["HTTP_WEBHOOK_ID"], json.loads(body)))
        start_response("204 No Content", [])
        return []

    with LoopbackServer(take) as server:
        watched.environ |= {"SECURE_ML_WEBHOOK_URL": server.url, "SECURE_ML_WEBHOOK_SECRET_FILE": str(secret)}
        yield server


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def table_of(metadata: Any) -> list[dict[str, Any]]:
    value = metadata["findings"]
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def test_a_quiet_log_passes_every_check(watched: Watched) -> None:
    result = watched.materialise()

    assert result.success, failures(result)
    checks = checks_of(result)
    assert set(checks) == set(DETECTORS)
    assert all(check.passed for check in checks.values())
    event = watched.instance.get_latest_materialization_event(KEY)
    assert event is not None
    assert event.asset_materialization is not None
    assert table_of(event.asset_materialization.metadata) == []


def test_findings_are_a_table_and_fail_the_check_of_their_kind(watched: Watched) -> None:
    index = watched.reach_out()
    refused = [watched.record("version.open", "refused") for _ in range(5)]

    result = watched.materialise()

    assert result.success, failures(result)
    failed = {name: check for name, check in checks_of(result).items() if not check.passed}
    assert set(failed) == {"egress_attempt", "repeated_refusals", "new_actor"}
    assert failed["egress_attempt"].severity is dg.AssetCheckSeverity.ERROR
    assert failed["repeated_refusals"].severity is dg.AssetCheckSeverity.WARN
    rows = table_of(failed["egress_attempt"].metadata)
    assert [(row["entries"], row["resource"]) for row in rows] == [(str(index), PLACE)]
    assert "connect, a public address, port 443" in rows[0]["words"]
    listed = table_of(result.asset_materializations_for_node(NODE)[0].metadata)
    # The refused attempt is the first of the five.
    assert [row["entries"] for row in listed] == [", ".join(map(str, [index, *refused[:4]])), str(index), str(index)]


def test_neither_pages_nor_run_logs_name_an_actor(watched: Watched) -> None:
    watched.reach_out()
    for _ in range(9):
        watched.record("version.open", "refused", actor="person:jane.invented")

    result = watched.materialise()
    told = watched.evaluate()

    logged = "\n".join(str(entry) for entry in watched.instance.all_logs(result.run_id)) + repr(told)
    assert "egress_attempt" in logged
    for name in ("zorblax", "jane.invented", FOUNDER):
        assert name not in logged.lower()


def test_an_old_finding_is_listed_and_fails_no_check_any_more(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    now = [datetime(2031, 5, 1, tzinfo=UTC)]
    make_small_project(tmp_path)
    watched = Watched(open_small_project(tmp_path, clock=lambda: now[0]), instance)
    watched.reach_out()
    assert not checks_of(watched.materialise())["egress_attempt"].passed

    now[0] += timedelta(days=31)
    result = watched.materialise()

    assert checks_of(result)["egress_attempt"].passed
    (made,) = result.asset_materializations_for_node(NODE)
    assert "egress_attempt" in [row["kind"] for row in table_of(made.metadata)]


def test_findings_of_other_environments_are_left_to_theirs_and_those_of_the_installation_are_not(
    watched: Watched,
) -> None:
    watched.reach_out(resource="production/clinic")
    watched.record("key.destroy", "done", resource="environment/x")

    rows = table_of(watched.materialise().asset_materializations_for_node(NODE)[0].metadata)

    assert [row["kind"] for row in rows] == ["key_destruction"]


def test_keys_destroyed_for_good_are_told_and_those_that_a_rotation_replaced_are_not(watched: Watched) -> None:
    stored = watched.project.write_raw()
    keys = watched.project.installation.keys
    keys.rotate(keys.environments(), seconds=60)
    assert any(entry.action == "key.destroy" for entry in watched.project.installation.log.entries())
    assert checks_of(watched.materialise())["key_destruction"].passed

    keys.destroy(stored.version_id)

    (row,) = table_of(checks_of(watched.materialise())["key_destruction"].metadata)
    assert row["resource"] == stored.version_id


def test_a_log_that_was_changed_is_a_finding_of_its_own(watched: Watched) -> None:
    index = watched.record()
    with watched.project.installation.state.transaction() as connection:
        row = audit_entries.c.entry_index == index
        connection.execute(update(audit_entries).where(row).values(actor="person:somebody.else"))

    check = checks_of(watched.materialise())["failed_verification"]

    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert f"entry {index}" in table_of(check.metadata)[0]["words"]
    assert watched.evaluate().asset_events


def test_the_sensor_tells_what_is_new_by_logger_asset_and_webhook(
    watched: Watched,
    receiver: LoopbackServer,
    received: list[tuple[str, dict[str, Any]]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    index = watched.reach_out()

    result = watched.evaluate()

    told = {body["data"]["kind"]: (named, body) for named, body in received}
    assert set(told) == {"egress_attempt", "new_actor"}
    named, body = told["egress_attempt"]
    assert body["type"] == "secure_ml.security_event.egress_attempt"
    assert (body["data"]["id"], body["data"]["entries"], body["data"]["environment"]) == (named, [index], ENVIRONMENT)
    assert "zorblax" not in json.dumps(received)
    kinds = [type(event) for event in result.asset_events]
    assert kinds == [dg.AssetMaterialization, *[dg.AssetCheckEvaluation] * len(DETECTORS)]
    assert result.cursor == str(watched.size())


def test_a_message_has_the_fields_that_the_page_shows(
    watched: Watched, receiver: LoopbackServer, received: list[tuple[str, dict[str, Any]]]
) -> None:
    watched.reach_out(actor=FOUNDER)
    watched.evaluate()
    page = Path(__file__).resolve().parents[2] / "docs" / "security-events.md"
    (shown,) = [json.loads("\n".join(block.lines)) for block in blocks(page) if block.lines[0] == "{"]
    ((_, body),) = received
    assert body.keys() == shown.keys()
    assert body["data"].keys() == shown["data"].keys()


def test_errors_are_told_first(
    watched: Watched, receiver: LoopbackServer, received: list[tuple[str, dict[str, Any]]]
) -> None:
    for number in range(3):
        watched.record(actor=f"service:new-{number}")
    watched.reach_out()
    watched.evaluate()
    assert [body["data"]["severity"] for _, body in received][:2] == ["error", "warn"]


def test_a_quiet_log_is_looked_at_without_a_trace_in_it(watched: Watched) -> None:
    watched.evaluate()
    size = watched.size()
    for _ in range(3):
        result = watched.evaluate()
        assert result.skip_reason is not None
        assert "nothing new" in str(result.skip_reason)
    assert watched.size() == size


def test_what_the_receiver_did_not_take_is_told_again_under_the_same_id(
    watched: Watched, receiver: LoopbackServer, received: list[tuple[str, dict[str, Any]]]
) -> None:
    watched.reach_out()
    receiver.fault = status(503)
    with pytest.raises(dg.Failure, match="answered 503"):
        watched.evaluate()
    assert watched.cursor is None
    ids = {headers["WEBHOOK_ID"] for _, _, headers in receiver.seen}
    receiver.fault = None

    watched.evaluate()

    assert len(ids) == 1
    assert ids <= {named for named, _ in received}
    assert len(received) == len({named for named, _ in received}) == 2


def test_after_a_restart_nothing_is_lost_and_what_was_told_is_not_told_again(
    watched: Watched, receiver: LoopbackServer, received: list[tuple[str, dict[str, Any]]]
) -> None:
    watched.reach_out()
    watched.evaluate()
    cursor = watched.cursor
    before = list(received)
    watched.restart()
    watched.cursor = cursor
    index = watched.reach_out()

    watched.evaluate()

    assert [body["data"]["entries"] for _, body in received[len(before) :]] == [[index]]


def test_a_process_that_dies_between_telling_and_its_cursor_tells_again_under_the_same_ids(
    watched: Watched, receiver: LoopbackServer, received: list[tuple[str, dict[str, Any]]]
) -> None:
    watched.reach_out()
    watched.evaluate()
    watched.restart()
    watched.evaluate()
    ids = [named for named, _ in received]
    assert len(ids) == 4
    assert ids[:2] == ids[2:]


def test_of_very_many_findings_the_rest_is_told_at_the_next_looks(
    watched: Watched,
    receiver: LoopbackServer,
    received: list[tuple[str, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(security, "_TOLD_A_LOOK", 3)
    indices = [watched.reach_out(actor=FOUNDER) for _ in range(7)]
    cursors = []
    for _ in range(3):
        watched.evaluate()
        cursors.append(int(watched.cursor or 0))
    told = [body["data"]["entries"][-1] for _, body in received if body["data"]["kind"] == "egress_attempt"]
    assert sorted(told) == indices
    # A process that begins anew in between finds the untold ones again.
    assert cursors[0] <= min(set(indices) - set(told[:3]))
    assert cursors[-1] == watched.size()


def test_a_long_log_is_read_over_several_looks(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "_ENTRIES_A_LOOK", 4)
    for _ in range(9):
        watched.record(actor=FOUNDER)
    watched.reach_out(actor=FOUNDER)
    found = []
    for _ in range(8):
        found += watched.evaluate().asset_events
    assert any(isinstance(event, dg.AssetMaterialization) for event in found)


def test_a_wrong_webhook_or_file_of_limits_stops_the_sensor_with_words(watched: Watched, tmp_path: Path) -> None:
    watched.environ["SECURE_ML_WEBHOOK_URL"] = "http://alerts.bank.example"
    with pytest.raises(dg.Failure, match="must begin with https"):
        watched.evaluate()
    watched.environ["SECURE_ML_SECURITY_LIMITS"] = str(tmp_path / "nowhere.yaml")
    with pytest.raises(dg.Failure, match="cannot be read"):
        watched.evaluate()


def test_the_limits_of_the_file_hold(watched: Watched, tmp_path: Path) -> None:
    limits = tmp_path / "limits.yaml"
    limits.write_text("refusals: 2\n")
    watched.environ["SECURE_ML_SECURITY_LIMITS"] = str(limits)
    for _ in range(2):
        watched.record("version.open", "refused")
    assert not checks_of(watched.materialise())["repeated_refusals"].passed


def test_without_an_installation_the_sensor_makes_none(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    def never() -> Any:
        raise AssertionError("a look made an installation")

    environ = {"SECURE_ML_HOME": str(tmp_path / "home"), "SECURE_ML_KEYS": str(tmp_path / "keys")}
    doors = Doors(never, environ=environ)
    bound = dg.Definitions(resources={"doors": doors})
    sensor = (
        dg.Definitions.merge(security_definitions(ENVIRONMENT, doors), bound)
        .get_repository_def()
        .get_sensor_def(SENSOR)
    )
    with dg.build_sensor_context(instance=instance) as context:
        result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    assert "no installation yet" in str(result.skip_reason)
    assert not (tmp_path / "home").exists()
    assert not (tmp_path / "keys").exists()


def test_a_process_without_the_role_asks_once_and_says_why(watched: Watched) -> None:
    watched.project.installation.core.admission.directory = Appointed(Actors({}, {}), {})
    size = watched.size()
    for _ in range(4):
        with pytest.raises(dg.Failure, match="no actor here"):
            watched.evaluate()
    assert watched.size() == size + 1


def test_the_sensor_runs_unless_somebody_stops_it(watched: Watched) -> None:
    sensor = watched.definitions.get_repository_def().get_sensor_def(SENSOR)
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
