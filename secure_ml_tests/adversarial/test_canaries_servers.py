"""Dagster's own servers with a careless project, and clients that send values: none is stored, logged or answered.

Webserver, daemon and code server run as `dg dev` starts them on a checkout, in whose environment masking is switched
off. The project raises and prints at import, in sensors and in schedules; clients launch runs with values in tags,
configuration and partitions.
"""

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from secure_ml.access.directory import SENSOR
from secure_ml.orchestration.resources import TICKET_TAG, read_ticket
from secure_ml.settings import project_root
from secure_ml_tests.adversarial.search import Texts, search, search_folder
from secure_ml_tests.fakes import hostile_servers
from secure_ml_tests.fakes.dagster_pages import BIN, DagsterPages, clean_environment, free_port, serving, until
from secure_ml_tests.fakes.hostile_servers import EMAIL, NAME, PAN, PHONE, SAID

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

TEXTS = Texts({"email": [EMAIL], "phone": [PHONE, PHONE.replace(" ", "")], "pan": [PAN], "name in an error": [NAME]})
CHECKOUT = ("pyproject.toml", "workspace.yaml", "dagster.yaml", "requirements.lock", ".env")
LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "training"}

LAUNCH = """mutation ($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) { __typename
  ... on LaunchRunSuccess { run { runId tags { key value } } } ... on PythonError { message stack } } }"""
BACKFILL = """mutation ($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) { __typename
  ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
REPORT = """mutation ($p: ReportRunlessAssetEventsParams!) { reportRunlessAssetEvents(eventParams: $p) { __typename
  ... on PythonError { message stack } } }"""
DRY_SENSOR = """mutation ($p: SensorSelector!) { sensorDryRun(selectorData: $p, cursor: "") { __typename
  ... on DryRunInstigationTick { evaluationResult { error { message stack causes { message } } } } } }"""
DRY_SCHEDULE = """mutation ($p: ScheduleSelector!) { scheduleDryRun(selectorData: $p, timestamp: 1795500000) {
  __typename ... on DryRunInstigationTick { evaluationResult { error { message stack causes { message } } } } } }"""
RUNS = "{ runsOrError { ... on Runs { results { runId status jobName runConfigYaml tags { key value } } } } }"
EVENTS = """query ($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events { __typename
  ... on MessageEvent { message } ... on ErrorEvent { error { message stack causes { message stack } } } } } } }"""
TICKS = """query ($p: RepositorySelector!) {
  sensorsOrError(repositorySelector: $p) { ... on Sensors { results { name sensorState { ...told } } } }
  schedulesOrError(repositorySelector: $p) { ... on Schedules { results { name scheduleState { ...told } } } } }
fragment told on InstigationState { typeSpecificData { ... on SensorData { lastCursor lastRunKey } }
  ticks(limit: 5) { status skipReason cursor runKeys error { message stack } logEvents { events { message } } } }"""
MATERIALISATIONS = """query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  assetMaterializations(limit: 5) { description metadataEntries { label ... on TextMetadataEntry { text } } } } } }"""
BROKEN = """
from pathlib import Path
import pandas as pd

people = pd.read_csv(Path(__file__).with_name("people.csv"))
people["who"].astype(float)
"""
BACKFILLS = """{ partitionBackfillsOrError { ... on PartitionBackfills { results {
  title description tags { key value } error { message } } } } }"""
HEALTH = "{ instance { daemonHealth { allDaemonStatuses { daemonType lastHeartbeatErrors { message stack } } } } }"
LOAD = """{ workspaceOrError { ... on Workspace { locationEntries { loadStatus
  locationOrLoadError { __typename ... on PythonError { message stack causes { message stack } } } } } } }"""


@dataclass
class Asked:
    """A client that keeps all answers."""

    pages: DagsterPages
    answers: list[bytes] = field(default_factory=list)

    def __call__(self, query: str, **variables: object) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.pages.url}/graphql", body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.answers.append(answer.read())
        except urllib.error.HTTPError as refused:
            self.answers.append(refused.read())
        return json.loads(self.answers[-1])["data"]

    def launch(self, job: str, *, config: object = None, asset: str = "", **tags: str) -> str:
        """Launches a run; gives its id, or what was said of the refusal."""
        selector: dict[str, object] = {**LOCATION, "pipelineName": job}
        if asset:
            selector |= {"assetSelection": [{"path": [asset]}], "assetCheckSelection": []}
        told = [{"key": key.replace("__", "/"), "value": value} for key, value in tags.items()]
        params = {"selector": selector, "runConfigData": config or {}, "executionMetadata": {"tags": told}}
        answer = self(LAUNCH, p={**params, "mode": "default"})["launchPipelineExecution"]
        return str(answer["run"]["runId"] if "run" in answer else answer["message"])


@dataclass(frozen=True)
class Served:
    """What the servers have answered, printed and stored."""

    answers: bytes
    refusals: tuple[str, ...]
    printed: str
    home: Path
    ticks: dict[str, list[dict[str, Any]]]
    runs: list[dict[str, Any]]


def checkout_with(folder: Path, code: str) -> Path:
    """A copy of what a checkout needs to run, with a project's own code in its `defs`."""
    copy = folder / "checkout"
    copy.mkdir()
    for name in CHECKOUT:
        shutil.copyfile(project_root() / name, copy / name)
    shutil.copytree(project_root() / "secure_ml", copy / "secure_ml", ignore=shutil.ignore_patterns("__pycache__"))
    own = copy / "secure_ml" / "defs" / "careless"
    own.mkdir()
    (own / "definitions.py").write_text(code, encoding="utf-8")
    (folder / "user").mkdir()
    return copy


def environment(checkout: Path) -> dict[str, str]:
    return clean_environment(
        PYTHONPATH=str(checkout),
        PYTHONDONTWRITEBYTECODE="1",
        HOME=str(checkout.parent / "user"),
        DAGSTER_REDACT_USER_CODE_ERRORS="0",
        DAGSTER_REDACTED_ERROR_LOGGER_NAME="elsewhere",
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("careless")
    checkout = checkout_with(folder, Path(hostile_servers.__file__).read_text(encoding="utf-8"))
    log = folder / "dev.log"
    command = ["dg", "dev", "-h", "127.0.0.1", "-p", "{port}"]
    with serving(command, environment(checkout), cwd=checkout, log=log) as pages:
        ask = Asked(pages)
        refusals = launch_with_values(ask)
        ask(DRY_SENSOR, p={**LOCATION, "sensorName": "raising_sensor"})
        ask(DRY_SCHEDULE, p={**LOCATION, "scheduleName": "raising_schedule"})
        ticks = until(lambda: all_have_ticked(ask), seconds=150)
        runs = until(lambda: all_have_ended(ask), seconds=150)
        for run in runs:
            ask(EVENTS, run=run["runId"])
        for asset in ("by_region", "raising"):
            ask(MATERIALISATIONS, key={"path": [asset]})
        ask(BACKFILLS)
        ask(HEALTH)
    printed = log.read_text(encoding="utf-8", errors="replace")
    return Served(b"\n".join(ask.answers), refusals, printed, checkout / ".secure_ml", ticks, runs)


def launch_with_values(ask: Asked) -> tuple[str, ...]:
    """Launches runs, backfills and reports; gives what was said where they were refused."""
    ask.launch("__ASSET_JOB", asset="raising", contact=SAID, secure_ml__ticket=SAID)
    ask.launch("__ASSET_JOB", asset="by_region", dagster__partition="north")
    ask.launch("__ASSET_JOB", asset="by_day", dagster__partition="2026-01-03")
    days = {"partitionNames": ["2026-01-04"], "assetSelection": [{"path": ["by_day"]}]}
    ask(BACKFILL, p={**days, "tags": [{"key": "contact", "value": SAID}], "title": SAID[:60], "description": SAID})
    reported = {"eventType": "ASSET_MATERIALIZATION", "description": SAID}
    ask(REPORT, p={**reported, "assetKey": {"path": ["raising"]}})
    refused_report = ask(REPORT, p={**reported, "assetKey": {"path": ["by_region"]}, "partitionKeys": [EMAIL]})
    return (
        ask.launch("configured", config={"ops": {"is_configured": {"config": {"contact": SAID}}}}),
        ask.launch("__ASSET_JOB", asset="by_region", dagster__partition=EMAIL),
        ask.launch("__ASSET_JOB", asset="by_region", dagster__partition=PHONE.replace(" ", "")),
        ask.launch("__ASSET_JOB", asset="by_region", dagster__partition=NAME),
        str(refused_report["reportRunlessAssetEvents"]["message"]),
    )


def all_have_ticked(ask: Asked) -> dict[str, list[dict[str, Any]]] | None:
    """The ended ticks of every sensor and schedule of the project, once each has two."""
    answer = ask(TICKS, p=LOCATION)
    found = {
        instigator["name"]: [t for t in instigator[state]["ticks"] if t["status"] != "STARTED"]
        for kind, state in (("sensorsOrError", "sensorState"), ("schedulesOrError", "scheduleState"))
        for instigator in answer[kind]["results"]
        if not instigator["name"].startswith("loan_approval")
    }
    enough = {name: 1 if name.endswith("schedule") else 2 for name in found}
    return found if all(len(found[name]) >= number for name, number in enough.items()) else None


def all_have_ended(ask: Asked) -> list[dict[str, Any]] | None:
    runs: list[dict[str, Any]] = ask(RUNS)["runsOrError"]["results"]
    return runs if all(run["status"] in {"SUCCESS", "FAILURE", "CANCELED"} for run in runs) else None


def test_no_value_was_stored(served: Served) -> None:
    assert search_folder(TEXTS, served.home) == {}


def test_no_value_was_printed_by_a_server(served: Served) -> None:
    assert search(TEXTS, served.printed.encode()) == {}


def test_no_value_was_answered(served: Served) -> None:
    assert search(TEXTS, served.answers) == {}


def test_a_client_is_refused_a_configuration_or_partition_that_looks_like_a_person(served: Served) -> None:
    assert len(served.refusals) == 5
    for words in served.refusals:
        assert words.startswith("secure_ml.orchestration.names.NameRefused: ")
        assert "stored in clear" in words or "no partition key" in words


def test_declared_partitions_run(served: Served) -> None:
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in served.runs if run["status"] == "SUCCESS"]
    assert {"north", "2026-01-03", "2026-01-04"} <= {tag.get("dagster/partition") for tag in tags}


def test_a_sensor_that_fails_is_told_by_an_id_whose_error_is_in_the_log(served: Served) -> None:
    told = served.ticks["raising_sensor"][0]["error"]["message"]
    error_id = told.split("error ID ")[1].split(".")[0]
    assert error_id in served.printed
    assert "CarelessError" in served.printed
    assert "definitions.py" in served.printed


def test_what_a_sensor_says_is_kept_without_values(served: Served) -> None:
    tick = served.ticks["talking_sensor"][0]
    assert tick["skipReason"] == "[email] [number] [pan]"
    assert any("sensor [email]" in event["message"] for event in tick["logEvents"]["events"])


def test_a_position_stays_a_position(served: Served) -> None:
    assert served.ticks["reporting_sensor"][0]["cursor"] == "1795503980.5"


def test_a_request_that_is_refused_starts_no_run_later(served: Served) -> None:
    assert {tick["status"] for tick in served.ticks["requesting_by_value"]} == {"FAILURE"}
    started = [tag for run in served.runs for tag in run["tags"] if tag["key"] == "dagster/sensor_name"]
    assert {tag["value"] for tag in started} == {"tagging_sensor", "asking_for_a_project"}


def test_the_daemons_run_of_a_project_acts_for_the_sensor(served: Served) -> None:
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in served.runs]
    (asked,) = [of for of in tags if of.get("dagster/sensor_name") == "asking_for_a_project"]
    assert json.loads(read_ticket(asked[TICKET_TAG]).body)["actor"] == SENSOR


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose project fails at its import, on a cell."""
    checkout = checkout_with(tmp_path_factory.mktemp("broken"), BROKEN)
    (checkout / "secure_ml" / "defs" / "careless" / "people.csv").write_text(f"who\n{NAME} {SAID}\n")
    return checkout


@pytest.mark.parametrize("command", ["dg check defs", "dagster definitions validate -w workspace.yaml", "dg list defs"])
def test_definitions_that_fail_to_load_are_told_without_the_cell(broken: Path, command: str) -> None:
    name, *arguments = command.split()
    done = subprocess.run(
        [BIN / name, *arguments], cwd=broken, env=environment(broken), capture_output=True, text=True, timeout=300
    )
    told = done.stdout + done.stderr
    assert done.returncode != 0
    assert search(TEXTS, told.encode()) == {}
    assert "ValueError" in told


def test_a_webserver_whose_definitions_fail_to_load_answers_without_the_cell(broken: Path) -> None:
    port, log = free_port(), broken.parent / "broken.log"
    command = [BIN / "dagster-webserver", "-h", "127.0.0.1", "-p", str(port), "-w", "workspace.yaml"]
    ask = Asked(DagsterPages(f"http://127.0.0.1:{port}"))
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=environment(broken), cwd=broken, stdout=output, stderr=output)
        try:
            entries = until(lambda: loaded(ask), seconds=240)
        finally:
            server.terminate()
            server.wait(timeout=60)
    assert {entry["locationOrLoadError"]["__typename"] for entry in entries} == {"PythonError"}
    assert search(TEXTS, b"\n".join(ask.answers)) == {}
    assert search(TEXTS, log.read_bytes()) == {}
    assert b"ValueError" in log.read_bytes()


def loaded(ask: Asked) -> list[dict[str, Any]] | None:
    """The code locations, once none is loading any more."""
    try:
        entries: list[dict[str, Any]] = ask(LOAD)["workspaceOrError"]["locationEntries"]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None
    return entries if entries and all(entry["loadStatus"] == "LOADED" for entry in entries) else None
