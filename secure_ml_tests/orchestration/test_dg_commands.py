"""Dagster's own commands on a fresh checkout, with no variable set: they work, and what they say of a fault is ours."""

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from secure_ml.settings import project_root
from secure_ml_tests.fakes.dagster_pages import BIN, DagsterPages, clean_environment, serving, until

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

SHIPPED = Path("secure_ml/defs/loan_approval/defs.yaml")
SECOND = Path("secure_ml/defs/branch_loans/defs.yaml")
MADE_BY_COMMANDS = {".secure_ml", ".env", "__pycache__"}
_DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a checkout needs to run, with a second project in a second folder."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "workspace.yaml", "dagster.yaml", "requirements.lock", ".env"):
        shutil.copyfile(project_root() / name, copy / name)
    shutil.copytree(project_root() / "secure_ml", copy / "secure_ml", ignore=shutil.ignore_patterns("__pycache__"))
    write_second(copy, "")
    return copy


def write_second(checkout: Path, before: str, after: str = "") -> None:
    """Writes the second project's policy: the shipped one, with one text replaced throughout."""
    text = SHIPPED.read_text(encoding="utf-8").replace("project: loan_approval", "project: branch_loans")
    (checkout / SECOND).parent.mkdir(exist_ok=True)
    (checkout / SECOND).write_text(text.replace(before, after) if before else text, encoding="utf-8")


def environment(checkout: Path) -> dict[str, str]:
    """Nothing of this installation; the copy's package comes before the one that is installed."""
    home = checkout.parent / "user"
    home.mkdir(exist_ok=True)
    return clean_environment(PYTHONPATH=str(checkout), PYTHONDONTWRITEBYTECODE="1", HOME=str(home), COLUMNS="300")


def call(checkout: Path, command: str, **variables: str) -> tuple[int, str]:
    """Exit code and everything that a command said."""
    name, *arguments = command.split()
    done = subprocess.run(
        [BIN / name, *arguments],
        cwd=checkout,
        env=environment(checkout) | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "command",
    ["dg check yaml", "dg check defs", "dagster definitions validate -w workspace.yaml"],
)
def test_the_checkout_passes(checkout: Path, command: str) -> None:
    code, said = call(checkout, command)

    assert code == 0, said


def test_dagster_reads_the_instance_that_the_checkout_declares(checkout: Path) -> None:
    code, said = call(checkout, "dagster instance info", DAGSTER_HOME=str(checkout))

    assert code == 0, said
    assert "max_concurrent_runs: 2" in said
    assert (checkout / ".secure_ml" / "dagster" / "storage").is_dir()


def test_the_component_is_listed(checkout: Path) -> None:
    code, said = call(checkout, "dg list components --json")

    assert code == 0, said
    assert "secure_ml.orchestration.SensitiveModel" in said


def test_a_second_project_is_a_second_folder(checkout: Path) -> None:
    code, said = call(checkout, "dg list defs --json")

    assert code == 0, said
    listed = json.loads(said[said.index("{") :])
    keys = {asset["asset_key"] for asset in listed["assets"]}
    stages = ("raw", "classified", "masked", "split", "trained", "validated", "registered")
    made = {f"training/{project}/{stage}" for project in ("loan_approval", "branch_loans") for stage in stages}
    assert keys == {*made, "training/security/events"}


def test_a_wrong_policy_is_told_with_file_line_field_and_what_is_allowed(checkout: Path) -> None:
    write_second(checkout, "entity: aadhaar", "entity: adhaar")
    # Of several files of one component type, `dg check yaml` looks at one only, unless it is told which.
    commands = ("dg check defs --no-check-yaml", f"dg check yaml {SECOND.parent}")
    try:
        told = {name: call(checkout, name) for name in commands}
    finally:
        write_second(checkout, "")

    line = SHIPPED.read_text(encoding="utf-8").split("entity: aadhaar")[0].count("\n") + 1
    for code, said in told.values():
        assert code == 1
        assert f"{SECOND}:{line}" in said
        assert "columns.aadhaar.entity" in said
        assert "'ifsc'" in said
    assert "PolicyError: " in told[commands[0]][1]


def test_a_rule_between_fields_is_told_by_the_loader(checkout: Path) -> None:
    write_second(checkout, "treatment: {kind: scrub_text}", "treatment: {kind: keep}")
    try:
        code, said = call(checkout, "dg check defs")
    finally:
        write_second(checkout, "")

    assert code == 1
    assert f"{SECOND}:" in said
    assert "columns.officer_remarks: a direct identifier cannot be treated by keep" in said


def test_the_plain_webserver_serves_the_checkout_and_leaves_nothing_but_the_installation(checkout: Path) -> None:
    before = {path.name for path in checkout.iterdir()}
    command = ["dagster-webserver", "-h", "127.0.0.1", "-p", "{port}", "-w", "workspace.yaml"]
    log = checkout.parent / "webserver.log"

    with (
        serving(command, environment(checkout), cwd=checkout, log=log) as pages,
        urllib.request.urlopen(f"{pages.url}/server_info", timeout=30) as answer,
    ):
        assert "dagster_webserver_version" in json.load(answer)

    assert {path.name for path in checkout.iterdir()} - before <= MADE_BY_COMMANDS


def test_dg_dev_starts_webserver_and_daemon_on_the_declared_instance_and_cleans_up(checkout: Path) -> None:
    before = {path.name for path in checkout.iterdir()}
    command = ["dg", "dev", "-h", "127.0.0.1", "-p", "{port}"]

    with serving(command, environment(checkout), cwd=checkout, log=checkout.parent / "dev.log") as pages:
        with urllib.request.urlopen(f"{pages.url}/server_info", timeout=30) as answer:
            assert "dagster_webserver_version" in json.load(answer)
        daemons = until(lambda: healthy_daemons(pages), seconds=60)

    # The last runs only where the checkout's dagster.yaml is read.
    assert daemons >= {"SENSOR", "BACKFILL", "QUEUED_RUN_COORDINATOR", "MONITORING"}
    assert {path.name for path in checkout.iterdir()} - before <= MADE_BY_COMMANDS


def healthy_daemons(pages: DagsterPages) -> set[str] | None:
    """The types of all daemons that the instance asks for; None while one of them has not spoken."""
    statuses = pages.ask(_DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
    required = [status for status in statuses if status["required"]]
    return {status["daemonType"] for status in required} if all(s["healthy"] for s in required) else None
