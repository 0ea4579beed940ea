"""The tripwire around Dagster's runs, as `build` binds it."""

import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import dagster as dg
import pytest

from secure_ml.access.stages import Stage
from secure_ml.guard.egress import Destination
from secure_ml.orchestration.egress import declared_destinations, guarded_doors
from secure_ml.orchestration.io_manager import DoorIOManager
from secure_ml.orchestration.resources import Doors
from secure_ml.policy.projects import Project
from secure_ml.settings import read_settings
from secure_ml_tests.fakes.dagster_project import DagsterProject, dagster_project, failures
from secure_ml_tests.fakes.loan_installation import add_project, loan_installation, run_until
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, declare_all, make_small_project

ELSEWHERE = ("192.0.2.1", 443)  # RFC 5737: nobody has it.


def reach_out() -> None:
    with socket.socket() as opened:
        opened.settimeout(0.2)
        opened.connect(ELSEWHERE)


@pytest.fixture
def guarded(tmp_path: Path, instance: dg.DagsterInstance) -> DagsterProject:
    """The small project whose runs are guarded."""
    made = dagster_project(make_small_project(tmp_path, change=declare_all), instance)
    doors = Doors(lambda: made.project.installation, environ={})
    io_manager = dg.IOManagerDefinition(lambda _: DoorIOManager(doors), required_resource_keys={"doors"})
    resources = {
        **(made.definitions.resources or {}),
        "doors": guarded_doors(doors),
        "io_manager": io_manager,
    }
    definitions = dg.Definitions(
        assets=made.definitions.assets,
        asset_checks=made.definitions.asset_checks,
        jobs=made.definitions.jobs,
        resources=resources,
        executor=dg.in_process_executor,
    )
    return DagsterProject(made.project, definitions, instance)


def hostile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """What `classified` calls on its way acts first."""
    from secure_ml.protection.classify import findings

    found = findings.classify
    monkeypatch.setattr(findings, "classify", lambda raw, **told: (act(), found(raw, **told))[1])


def test_a_run_that_reaches_out_fails_and_the_log_has_it(
    guarded: DagsterProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile(monkeypatch, reach_out)
    result = guarded.run(Stage.RAW, Stage.CLASSIFIED)

    (failed,) = failures(result)
    assert "tried to connect to another machine (port 443)" in failed
    (entry,) = guarded.project.log("egress.attempt")
    assert (entry.outcome, entry.run_id, entry.resource) == ("refused", result.run_id, f"{ENVIRONMENT}/{PROJECT}")
    assert (entry.details["kind"], entry.details["port"]) == ("connect", 443)
    assert ELSEWHERE[0] not in json.dumps(dict(entry.details)) + guarded.texts(result.run_id)


def test_an_attempt_that_a_library_swallows_is_in_the_log_too(
    guarded: DagsterProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quietly() -> None:
        try:
            socket.getaddrinfo("telemetry.example", 443)
        except Exception:  # noqa: BLE001 - as telemetry does
            return

    hostile(monkeypatch, quietly)
    assert guarded.run(Stage.RAW, Stage.CLASSIFIED).success
    assert [entry.details["kind"] for entry in guarded.project.log("egress.attempt")] == ["look_up"]


def test_a_run_that_stays_here_is_not_disturbed(guarded: DagsterProject) -> None:
    result = guarded.run(Stage.RAW, Stage.CLASSIFIED, Stage.MASKED)
    assert result.success, failures(result)
    assert guarded.project.log("egress.attempt") == []


def test_checks_alone_are_guarded_too(guarded: DagsterProject, monkeypatch: pytest.MonkeyPatch) -> None:
    from secure_ml.protection import quality

    assert guarded.run(Stage.RAW).success
    inspect = quality.inspect_quality
    monkeypatch.setattr(quality, "inspect_quality", lambda *a, **k: (reach_out(), inspect(*a, **k))[1])
    job = guarded.definitions.resolve_implicit_global_asset_job_def()
    checks = {key for key in job.asset_layer.asset_graph.asset_check_keys if key.asset_key.path[-1] == "raw"}
    alone = job.get_subset(asset_selection=set(), asset_check_selection=checks)
    result = alone.execute_in_process(instance=guarded.instance, raise_on_error=False)
    assert not result.success
    assert len(guarded.project.log("egress.attempt")) == 1


def test_after_a_run_this_process_may_connect_again(guarded: DagsterProject, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile(monkeypatch, reach_out)
    guarded.run(Stage.RAW, Stage.CLASSIFIED)
    with pytest.raises((TimeoutError, OSError)):
        reach_out()


def test_a_run_of_the_shipped_definitions_by_command_is_guarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with loan_installation(tmp_path) as installed:
        add_project(installed, "loans", rows=60)
        hostile(monkeypatch, reach_out)
        (outcome,) = run_until("loans", Stage.CLASSIFIED)
        assert "EgressRefused" in " ".join(outcome.failures)
        assert [entry.run_id for entry in installed.log("loans", "egress.attempt")] == [outcome.run_id]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_small_project(tmp_path / "made").installation.projects[PROJECT]


def destinations(project: Project, environ: Mapping[str, str], tmp_path: Path) -> set[tuple[str, int | None]]:
    settings = read_settings({"SECURE_ML_HOME": str(tmp_path / "h"), "SECURE_ML_KEYS": str(tmp_path / "k"), **environ})
    return {(place.host, place.port) for place in declared_destinations(settings, project, environ)}


def test_a_run_over_files_has_no_use_for_another_machine(project: Project, tmp_path: Path) -> None:
    assert destinations(project, {}, tmp_path) == set()


def test_the_sources_database_is_declared_by_its_url(project: Project, tmp_path: Path) -> None:
    source = project.policy.source.model_copy(update={"url_env": "CLINIC_URL"})
    sql = Project(project.policy.model_copy(update={"source": source}), project.folder)
    url = "postgresql://reader:hunter2@Tables.Clinic.example:5433/clinic"
    assert destinations(sql, {"CLINIC_URL": url}, tmp_path) == {("tables.clinic.example", 5433)}


@pytest.mark.parametrize(
    ("uri", "environ", "expected"),
    [
        ("vault:root?address=https://vault.example:8200", {}, {("vault.example", 8200)}),
        ("vault:root", {"VAULT_ADDR": "https://vault.example"}, {("vault.example", 443)}),
        ("awskms:alias/root?region=x-y-1", {}, {("kms.x-y-1.amazonaws.com", 443), ("169.254.170.2", 80)}),
        ("awskms:arn:aws:kms:ap-south-1:123456789012:alias/root", {}, {("kms.ap-south-1.amazonaws.com", 443)}),
        ("awskms:alias/root?region=x-y-1&endpoint=https://vpce.example", {}, {("vpce.example", 443)}),
        ("awskms:alias/root", {"AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:5000"}, {("127.0.0.1", 5000)}),
    ],
)
def test_the_key_service_is_declared_by_its_uri(
    project: Project, uri: str, environ: dict[str, str], expected: set[tuple[str, int]], tmp_path: Path
) -> None:
    found = destinations(project, {"SECURE_ML_KEY_SERVICE": uri, **environ}, tmp_path)
    assert found - {("169.254.170.2", 80)} == expected - {("169.254.170.2", 80)}


def test_every_environments_own_key_service_is_declared(project: Project, tmp_path: Path) -> None:
    services = ("training=vault:root?address=https://one.example", "test=vault:root?address=https://two.example")
    uris = {"SECURE_ML_KEY_SERVICES": " ".join(services)}
    assert destinations(project, uris, tmp_path) == {("one.example", 443), ("two.example", 443)}


def test_postgresql_for_the_state_is_declared(project: Project, tmp_path: Path) -> None:
    url = {"SECURE_ML_STATE_URL": "postgresql+psycopg2://me@state.example:5432/x"}
    assert destinations(project, url, tmp_path) == {("state.example", 5432)}


def test_where_the_kernel_is_another_process_a_run_needs_none_of_its_destinations(
    project: Project, tmp_path: Path
) -> None:
    from dataclasses import replace

    settings = replace(
        read_settings({"SECURE_ML_HOME": str(tmp_path / "h"), "SECURE_ML_KEYS": str(tmp_path / "k")}),
        kernel_socket=tmp_path / "kernel.sock",
        key_service="vault:root?address=https://vault.example:8200",
        state_url="postgresql://state.example/x",
    )
    assert declared_destinations(settings, project, {}) == frozenset[Destination]()
