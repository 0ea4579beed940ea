"""The run coordinator: every run that is queued has a ticket of its own, whatever a client sent in its place."""

import getpass
import json
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext

from secure_ml.access.stages import Stage
from secure_ml.definitions import build
from secure_ml.orchestration.instance import dagster_instance
from secure_ml.orchestration.resources import TICKET_TAG, read_ticket, ticket_tag
from secure_ml.settings import read_settings
from secure_ml.vault.messages import TicketIssued
from secure_ml_tests.fakes.dagster_project import key_of
from secure_ml_tests.fakes.small_project import PROJECT, as_csv, attributes, declare_all, rows, write_policy


@pytest.fixture(autouse=True)
def _queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster's own queue takes runs of a code location's process only; the journey through the pages uses it."""
    monkeypatch.setattr(QueuedRunCoordinator, "submit_run", lambda self, context: context.dagster_run)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("SECURE_ML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SECURE_ML_KEYS", str(tmp_path / "keys"))
    content = attributes()
    declare_all(content)
    folder = tmp_path / "home" / "projects" / PROJECT
    write_policy(folder, content)
    (folder / "table.csv").write_text(as_csv(rows()), encoding="utf-8")
    with dagster_instance(read_settings(os.environ)) as instance:
        yield instance


@pytest.fixture
def definitions(installed: dg.DagsterInstance) -> dg.Definitions:
    return build("training")


def submitted(
    instance: dg.DagsterInstance, definitions: dg.Definitions, *, tags: dict[str, str] | None = None, **chosen: object
) -> dg.DagsterRun:
    """A run as a client would launch it: its own tags, and then the coordinator."""
    job = definitions.resolve_job_def(f"{PROJECT}__protect")
    run = instance.create_run_for_job(job, tags=tags or {}, **chosen)  # type: ignore[arg-type]
    return instance.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))  # type: ignore[arg-type]


def ticket_of(run: dg.DagsterRun) -> dict[str, object]:
    content: dict[str, object] = json.loads(read_ticket(run.tags[TICKET_TAG]).body)
    return content


def test_a_run_of_a_job_gets_a_ticket_for_the_jobs_stages(
    installed: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    run = submitted(installed, definitions)
    ticket = ticket_of(run)
    assert run.status is dg.DagsterRunStatus.NOT_STARTED
    assert (ticket["actor"], ticket["run_id"]) == (f"os-user:{getpass.getuser()}", run.run_id)
    assert ticket["stages"] == ["raw", "classified", "masked"]
    assert (ticket["environment"], ticket["project"]) == ("training", PROJECT)


def test_a_selection_gets_a_ticket_for_no_more(installed: dg.DagsterInstance, definitions: dg.Definitions) -> None:
    run = submitted(installed, definitions, asset_selection=frozenset({key_of(Stage.RAW)}))
    assert ticket_of(run)["stages"] == ["raw"]


def test_a_ticket_that_a_client_sends_is_overwritten(
    installed: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    sent = ticket_tag(TicketIssued(body=b"{}", signature=b"forged"))
    run = submitted(installed, definitions, tags={TICKET_TAG: sent})
    assert run.tags[TICKET_TAG] != sent
    assert ticket_of(run)["run_id"] == run.run_id


def test_a_run_that_is_made_from_another_does_not_keep_its_ticket(
    installed: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    first = submitted(installed, definitions)
    again = submitted(installed, definitions, tags=dict(first.tags))
    assert ticket_of(again)["run_id"] == again.run_id != first.run_id


@pytest.mark.parametrize("tag", ["dagster/sensor_name", "dagster/schedule_name", "dagster/auto_materialize"])
def test_what_says_that_dagster_started_it_is_not_believed(
    installed: dg.DagsterInstance, definitions: dg.Definitions, tag: str
) -> None:
    assert ticket_of(submitted(installed, definitions, tags={tag: "x"}))["actor"] == f"os-user:{getpass.getuser()}"


def test_a_run_that_is_refused_fails_at_once_and_says_why(
    installed: dg.DagsterInstance, definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := read_settings(os.environ).keys).mkdir(exist_ok=True)
    folder.chmod(0o755)
    run = submitted(installed, definitions, tags={TICKET_TAG: "left"})
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert run.tags[TICKET_TAG] == ""
    texts = "\n".join(entry.message for entry in installed.all_logs(run.run_id))
    assert "The run was not started" in texts
    assert "chmod 700" in texts


def test_a_run_that_opens_no_door_needs_no_ticket(installed: dg.DagsterInstance) -> None:
    @dg.asset
    def something() -> None:
        pass

    job = dg.Definitions(assets=[something]).resolve_implicit_global_asset_job_def()
    run = installed.create_run_for_job(job)
    queued = installed.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))  # type: ignore[arg-type]
    assert queued.status is dg.DagsterRunStatus.NOT_STARTED
    assert queued.tags[TICKET_TAG] == ""


def test_pages_that_share_files_with_runs_of_another_user_start_none(
    installed: dg.DagsterInstance, definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = installed.create_run_for_job(definitions.resolve_job_def(f"{PROJECT}__protect"))
    several = {
        "SECURE_ML_PROFILE": "separated", "SECURE_ML_KERNEL_SOCKET": "/run/k", "SECURE_ML_ASSESSOR_SOCKET": "/run/a",
        "SECURE_ML_RUN_USERS": "training=runs", "SECURE_ML_ASSESSOR_USER": "judge",
    }  # fmt: skip
    for name, value in several.items():
        monkeypatch.setenv(name, value)
    refused = installed.run_coordinator.submit_run(SubmitRunContext(run, workspace=None))  # type: ignore[arg-type]
    assert refused.status is dg.DagsterRunStatus.FAILURE
    assert refused.tags[TICKET_TAG] == ""
    (event,) = [e for e in installed.all_logs(run.run_id) if e.dagster_event and e.dagster_event.is_run_failure]
    assert "set SECURE_ML_DAGSTER_POSTGRES_URL" in event.message
