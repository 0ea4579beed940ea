"""Whole commands in a network that records every packet: no look-up leaves, and no connection.

It sees native code and child processes too, which the tripwire does not.
"""

import base64
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from secure_ml.audit.log import AuditEvent
from secure_ml.guard.telemetry import SWITCHES
from secure_ml.settings import project_root
from secure_ml_tests.fakes.dagster_pages import BIN
from secure_ml_tests.fakes.loan_installation import LoanInstallation, add_project, loan_installation
from secure_ml_tests.fakes.recorded_network import NAMESERVER, Recorded, record_network

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

TALKATIVE = {
    "DAGSTER_DISABLE_TELEMETRY": "",
    "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "false",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318",
    "OTEL_SDK_DISABLED": "false",
}
"""What a machine may have set for its other programs."""

LEAVING = {
    "look-up": "import socket; socket.getaddrinfo('leaving.example', 80)",
    "connection": "import socket; socket.create_connection(('198.51.100.9', 443), 1)",
    "IPv6": "import socket; socket.create_connection(('2001:db8::9', 443), 1)",
    "datagram": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('198.51.100.9', 514))",
    "native": "import pyarrow.flight as f; f.FlightClient('grpc://198.51.100.9:80').wait_for_available(1)",
    "child": "import os; os.system('getent hosts leaving.example')",
}
REPORTING = {
    "mlflow": "import mlflow, time; mlflow.set_tracking_uri('sqlite:///m.db'); mlflow.start_run(); time.sleep(2)",
    "tldextract": "import tldextract; tldextract.TLDExtract(cache_dir=None)('a.b.co.uk')",
    "presidio": "from presidio_analyzer import predefined_recognizers as p; p.EmailRecognizer().validate_result('a@b')",
}


WATCHED_PAGES = """
import json, os, sys
from pathlib import Path
from secure_ml_tests.fakes.dagster_pages import serving, until
from secure_ml_tests.fakes.loopback_server import LoopbackServer

folder, findings = Path(sys.argv[1]), []
TICKS = '''query Ticks($place: RepositorySelector!, $asset: AssetKeyInput!) {
  sensorsOrError(repositorySelector: $place) {
    ... on Sensors { results { name sensorState { ticks(limit: 5) { status } } } }
  }
  assetOrError(assetKey: $asset) { ... on Asset { assetMaterializations(limit: 1) { timestamp } } }
}'''
PLACE = {"repositoryLocationName": "training", "repositoryName": "__repository__"}
ASSET = {"path": ["training", "security", "events"]}

def take(environ, start_response):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    findings.append(json.loads(body)["data"])
    start_response("204 No Content", [])
    return []

def ticked(pages):
    answer = pages.ask(TICKS, place=PLACE, asset=ASSET)
    sensors = answer["sensorsOrError"]["results"]
    (watch,) = [sensor["sensorState"]["ticks"] for sensor in sensors if sensor["name"] == "security_events"]
    ended = [tick["status"] for tick in watch if tick["status"] != "STARTED"]
    shown = answer["assetOrError"].get("assetMaterializations")
    return ended[-1] if ended and findings and shown else None

with LoopbackServer(take) as server:
    environ = os.environ | {"SECURE_ML_WEBHOOK_URL": server.url}
    command = ["secure-ml", "ui", "--port", "{port}"]
    with serving(command, environ, cwd=Path.cwd(), log=folder / "ui.log") as pages:
        status = until(lambda: ticked(pages), seconds=240)
(folder / "told.json").write_text(json.dumps({"findings": findings, "status": status}))
"""


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Nothing of this process: libraries that see a test or CI are quieter than elsewhere."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", **TALKATIVE, **variables}


def run_python(program: str, folder: Path, environ: Mapping[str, str]) -> Recorded:
    return record_network(folder, [sys.executable, "-c", program], environ, cwd=folder, timeout=120)


@pytest.mark.parametrize("how", LEAVING)
def test_the_recorder_sees_what_leaves(how: str, tmp_path: Path) -> None:
    sent = run_python(LEAVING[how], tmp_path, environment(tmp_path)).sent
    assert {(s.to, s.name) for s in sent} & {
        (NAMESERVER, "leaving.example"),
        ("198.51.100.9", ""),
        ("2001:db8::9", ""),
    }


@pytest.mark.parametrize("library", REPORTING)
def test_a_library_reports_home_without_its_switch_and_not_with_it(library: str, tmp_path: Path) -> None:
    program = REPORTING[library]
    assert run_python(program, tmp_path, environment(tmp_path)).sent != ()
    silenced = f"import os; from secure_ml.guard.telemetry import silence; silence(os.environ); {program}"
    quiet = run_python(silenced, tmp_path, environment(tmp_path))
    assert (quiet.exit_code, quiet.sent) == (0, ()), quiet.output


def test_the_switches_are_all_set_whatever_the_machine_has_set(tmp_path: Path) -> None:
    program = (
        "import os; from secure_ml.environments import training; print(*map('='.join, os.environ.items()), sep='\\n')"
    )
    places = {"SECURE_ML_HOME": str(tmp_path / "home"), "SECURE_ML_KEYS": str(tmp_path / "keys")}
    said = run_python(program, tmp_path, environment(tmp_path, **places)).output.splitlines()
    assert {f"{name}={value}" for name, value in SWITCHES.items()} <= set(said)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoanInstallation, Recorded]:
    """A small project, run to its end in the recorded network."""
    root = tmp_path_factory.mktemp("quiet")
    with loan_installation(root) as installed:
        add_project(installed, "loans")
    return installed, secure_ml(installed, "run", "loans")


def secure_ml(installed: LoanInstallation, *arguments: str) -> Recorded:
    environ = environment(
        installed.root, SECURE_ML_HOME=str(installed.home), SECURE_ML_KEYS=str(installed.root / "keys")
    )
    command = [str(BIN / "secure-ml"), *arguments]
    return record_network(installed.root, command, environ, cwd=installed.root, timeout=600)


def test_a_project_is_run_to_its_end_and_nothing_leaves(trained: tuple[LoanInstallation, Recorded]) -> None:
    _, recorded = trained
    assert (recorded.exit_code, recorded.sent) == (0, ()), recorded.output
    assert "loans is registered" in recorded.output


def test_nothing_had_to_be_stopped_by_the_tripwire(trained: tuple[LoanInstallation, Recorded]) -> None:
    installed, _ = trained
    with loan_installation(installed.root):
        assert installed.log("loans", "version.commit") != []
        assert installed.log("loans", "egress.attempt") == []


def test_pages_and_daemon_send_nothing_but_the_finding_to_the_webhook(
    trained: tuple[LoanInstallation, Recorded], tmp_path: Path
) -> None:
    installed, _ = trained
    with loan_installation(installed.root):
        details = {"kind": "connect", "destination": "a public address", "port": 443}
        event = AuditEvent("egress.attempt", "training/loans", "refused", "person:invented", "run-1", details)
        index = installed.installation().log.record(event)
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + base64.b64encode(b"k" * 32).decode())
    secret.chmod(0o600)
    places = {"SECURE_ML_HOME": str(installed.home), "SECURE_ML_KEYS": str(installed.root / "keys")}
    environ = environment(
        installed.root, SECURE_ML_WEBHOOK_SECRET_FILE=str(secret), PYTHONPATH=str(project_root()), **places
    )

    recorded = record_network(
        tmp_path, [sys.executable, "-c", WATCHED_PAGES, str(tmp_path)], environ, cwd=installed.root, timeout=600
    )

    assert (recorded.exit_code, recorded.sent) == (0, ()), recorded.output
    told = json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))
    kinds = {finding["kind"]: finding["entries"] for finding in told["findings"]}
    assert kinds["egress_attempt"] == [index]
    # Dagster's word for a look that started no run.
    assert told["status"] == "SKIPPED", (tmp_path / "ui.log").read_text(errors="replace")[-5000:]
    assert "invented" not in json.dumps(told)


@pytest.mark.parametrize("command", ["dg check defs", "dg list defs --json", "secure-ml status"])
def test_commands_send_nothing(command: str, trained: tuple[LoanInstallation, Recorded]) -> None:
    installed, _ = trained
    name, *arguments = command.split()
    places = {"SECURE_ML_HOME": str(installed.home), "SECURE_ML_KEYS": str(installed.root / "keys")}
    recorded = record_network(
        installed.root,
        [str(BIN / name), *arguments],
        environment(installed.root, **places),
        cwd=project_root(),
        timeout=300,
    )
    assert (recorded.exit_code, recorded.sent) == (0, ()), recorded.output
