"""Two tiny commands stand for Dagster's servers: what is tested is who starts, watches and stops them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from secure_ml.settings import project_root
from secure_ml_tests.cli.terminal import Said, Terminal

# It notes how it was started, then does what the file beside it says, and notes that it was asked to stop.
SERVER = """#!{python} -S
import json, os, pathlib, signal, sys, time
name = sys.argv[2].split(".")[0]
folder = pathlib.Path({folder!r})
def stop(*_):
    (folder / (name + ".stopped")).touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
told = dict(arguments=sys.argv[1:], environ=dict(os.environ), cwd=os.getcwd(), pid=os.getpid())
(folder / (name + ".part")).write_text(json.dumps(told))
(folder / (name + ".part")).rename(folder / (name + ".started"))
code = folder / (name + ".code")
while not code.exists():
    time.sleep(0.01)
if code.read_text() == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(code.read_text()))
"""
WEBSERVER, DAEMON = "dagster_webserver", "dagster"


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the two commands speak; Python's place in the command is taken by them."""
    folder = tmp_path / "servers"
    folder.mkdir()
    script = folder / "python"
    script.write_text(SERVER.format(python=sys.executable, folder=str(folder)), encoding="utf-8")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    return folder


@pytest.fixture(autouse=True)
def handler() -> Iterator[Callable[..., None]]:
    """What SIGTERM does before the command takes it over: nothing, so that a test that fails ends no session."""

    def nothing(*_: object) -> None: ...

    before = signal.signal(signal.SIGTERM, nothing)
    yield nothing
    signal.signal(signal.SIGTERM, before)


def told(servers: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((servers / f"{name}.started").read_text()))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def run(terminal: Terminal, servers: Path, then: Callable[[], object]) -> Said:
    """The command; `then` happens once both children have started."""

    def wait() -> None:
        deadline = time.monotonic() + 30
        while len(list(servers.glob("*.started"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        then()

    watcher = threading.Thread(target=wait)
    watcher.start()
    try:
        return terminal("ui", "--port", "3999")
    finally:
        watcher.join()
        for name in (WEBSERVER, DAEMON):
            (servers / f"{name}.code").touch()


def ends(servers: Path, name: str, how: str) -> Callable[[], object]:
    def end() -> None:
        (servers / "code").write_text(how)
        (servers / "code").rename(servers / f"{name}.code")

    return end


def test_both_servers_are_started_on_this_machine_only_and_on_this_installation(
    terminal: Terminal, servers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "secure_ml_tests.cli.terminal.INHERITED", ("PATH", "HOME", "DAGSTER_HOME", "SECURE_ML_DAGSTER_STORAGE")
    )
    monkeypatch.setenv("DAGSTER_HOME", "/elsewhere")
    monkeypatch.setenv("SECURE_ML_DAGSTER_STORAGE", "/elsewhere/storage")

    said = run(terminal, servers, ends(servers, DAEMON, "1"))

    assert "http://127.0.0.1:3999" in said.out
    workspace = ["-w", str(project_root() / "workspace.yaml")]
    webserver, daemon = told(servers, WEBSERVER), told(servers, DAEMON)
    assert webserver["arguments"] == ["-m", "dagster_webserver", "-h", "127.0.0.1", "-p", "3999", *workspace]
    assert daemon["arguments"] == ["-m", "dagster._daemon", "run", *workspace]
    for child in (webserver, daemon):
        assert child["cwd"] == str(project_root())
        expected = {
            "SECURE_ML_HOME": str(terminal.home),
            "SECURE_ML_KEYS": str(terminal.keys),
            "DAGSTER_HOME": str(terminal.home / "dagster"),
            "SECURE_ML_DAGSTER_STORAGE": str(terminal.home / "dagster" / "storage"),
            "DO_NOT_TRACK": "1",
        }
        assert expected.items() <= child["environ"].items()
        assert Path(child["environ"]["TMPDIR"]).is_relative_to(terminal.home)
    assert (terminal.home / "dagster" / "dagster.yaml").is_file()


@pytest.mark.parametrize(("dies", "stays"), [(WEBSERVER, DAEMON), (DAEMON, WEBSERVER)])
@pytest.mark.parametrize(("how", "code"), [("3", 3), ("0", 1), ("killed", -signal.SIGKILL)])
def test_a_child_that_ends_stops_the_other_and_fails_the_command(
    terminal: Terminal, servers: Path, dies: str, stays: str, how: str, code: int
) -> None:
    said = run(terminal, servers, ends(servers, dies, how))

    assert said.code == code
    assert (servers / f"{stays}.stopped").exists()
    assert not any(is_alive(told(servers, name)["pid"]) for name in (dies, stays))


def test_a_supervisors_stop_reaches_both(terminal: Terminal, servers: Path) -> None:
    said = run(terminal, servers, lambda: os.kill(os.getpid(), signal.SIGTERM))

    assert said.code == 128 + signal.SIGTERM
    assert {path.stem for path in servers.glob("*.stopped")} == {WEBSERVER, DAEMON}


def test_ctrl_c_stops_both_and_is_no_failure(terminal: Terminal, servers: Path) -> None:
    said = run(terminal, servers, lambda: os.kill(os.getpid(), signal.SIGINT))

    assert said.code == 0
    assert {path.stem for path in servers.glob("*.stopped")} == {WEBSERVER, DAEMON}


def test_the_first_is_stopped_when_the_second_cannot_start(
    terminal: Terminal, servers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def once(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        if started:
            raise OSError(11, "Resource temporarily unavailable")
        started.append(real(*arguments, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", once)

    said = terminal("ui", "--port", "3999")

    assert said.code != 0
    assert started[0].poll() is not None


def test_a_home_whose_path_is_too_long_for_sockets_is_refused_before_anything_starts(
    tmp_path: Path, servers: Path
) -> None:
    said = Terminal(tmp_path / ("deep-" * 20) / "home", tmp_path / "keys")("ui")

    assert said.code != 0
    assert "shorter path" in " ".join(said.err.split())
    assert not list(servers.glob("*.started"))
