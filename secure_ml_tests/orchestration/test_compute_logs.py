"""What a step prints reaches no file and no terminal with a person in it, however it is printed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dagster._core.storage.compute_log_manager import ComputeIOType

from secure_ml.orchestration.compute_logs import RedactedComputeLogManager

CANARIES = ("2345 6789 0124", "zorblax.canary@invented.example", "ABCPE1234F")
"""An Aadhaar number with its check digit, an e-mail address, a PAN."""

PROGRAM = f"""
import os, subprocess, sys
import dagster as dg
from secure_ml.orchestration.compute_logs import RedactedComputeLogManager

@dg.asset
def chatty():
    print("printed", *{CANARIES!r})
    print("warned", *{CANARIES!r}, file=sys.stderr)
    os.write(1, ("written " + " ".join({CANARIES!r}) + "\\n").encode())
    subprocess.run([sys.executable, "-c", "print('child', *{CANARIES!r})"], check=True)
    for piece in "in pieces " + " ".join({CANARIES!r}) + "\\n":
        print(piece, end="", flush=True)
    os.write(1, b"\\xff\\xfe\\x00 no text " + " ".join({CANARIES!r}).encode() + b"\\x80\\n")
    print("long", *{CANARIES!r} * 5000)
    print("no newline", *{CANARIES!r}, end="")

with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    assert dg.materialize([chatty], instance=instance).success
print("afterwards")
"""

CONFIG = """
compute_logs:
  module: secure_ml.orchestration.compute_logs
  class: RedactedComputeLogManager
  config: {{base_dir: {folder}}}
telemetry: {{enabled: false}}
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """The terminal's text of a run, and its compute logs by kind."""
    home = tmp_path_factory.mktemp("chatty")
    (home / "dagster.yaml").write_text(CONFIG.format(folder=home / "logs"))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home)],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ) | {"DAGSTER_HOME": str(home)},
    )
    files = {kind: "".join(f.read_text() for f in sorted(home.rglob(f"*.{kind}"))) for kind in ("out", "err")}
    return done.stdout + done.stderr, files


@pytest.mark.parametrize("canary", CANARIES)
def test_no_canary_reaches_a_file_or_the_terminal(printed: tuple[str, dict[str, str]], canary: str) -> None:
    terminal, files = printed

    assert canary not in terminal
    assert canary not in "".join(files.values())


def test_everything_else_that_was_printed_is_there(printed: tuple[str, dict[str, str]]) -> None:
    _, files = printed

    assert [
        word
        for word in ("printed", "written", "child", "in pieces", "no text", "long", "no newline")
        if word not in files["out"]
    ] == []
    assert "warned" in files["err"]


def test_the_terminal_works_as_before_once_the_step_has_ended(printed: tuple[str, dict[str, str]]) -> None:
    terminal, _ = printed

    assert "afterwards" in terminal
    assert "printed" in terminal


def test_the_pages_know_when_the_logs_are_complete(tmp_path: Path) -> None:
    key, logs = ["run", "compute_logs", "step"], RedactedComputeLogManager(str(tmp_path))
    with logs.capture_logs(key):
        assert not logs.is_capture_complete(key)

    assert logs.is_capture_complete(key)


LEFT_BEHIND = f"""
import subprocess, sys, time
from pathlib import Path
from secure_ml.orchestration.compute_logs import RedactedComputeLogManager

logs = RedactedComputeLogManager(sys.argv[1])
child = "import time\\nwhile True: print({CANARIES[1]!r}, flush=True); time.sleep(0.001)"
with logs.capture_logs(["run", "compute_logs", "step"]):
    left = subprocess.Popen([sys.executable, "-c", child])
    time.sleep(0.5)
print("afterwards", left.poll())
left.kill()
"""


def test_a_process_that_a_step_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEFT_BEHIND, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "afterwards None" in done.stdout
    assert CANARIES[1] not in done.stdout + "".join(f.read_text() for f in tmp_path.rglob("*.out"))


FLOOD = """
import ctypes, sys
from secure_ml.orchestration.compute_logs import RedactedComputeLogManager

with RedactedComputeLogManager(sys.argv[1]).capture_logs(["run", "compute_logs", "step"]):
    # PyDLL keeps the interpreter's lock: the pump cannot run until the call has returned.
    ctypes.PyDLL(None).write(1, b"x" * 99 + b"\\n", 100)
    ctypes.PyDLL(None).write(1, (b"x" * 99 + b"\\n") * 5000, 500_000)
"""


def test_a_library_that_writes_much_at_once_does_not_hang_the_step(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FLOOD, str(tmp_path)], capture_output=True, timeout=60, check=True)
    (file,) = tmp_path.rglob("*.out")
    assert file.stat().st_size == 500_100


def test_logs_of_a_step_that_fails_are_complete(tmp_path: Path) -> None:
    key, logs = ["run", "compute_logs", "step"], RedactedComputeLogManager(str(tmp_path))
    with pytest.raises(KeyError), logs.capture_logs(key):
        raise KeyError
    assert logs.is_capture_complete(key)


def test_a_sensors_log_keeps_its_clock_and_loses_its_values(tmp_path: Path) -> None:
    key, logs = ["sensor", "1"], RedactedComputeLogManager(str(tmp_path))
    record = {"created": 1795503980.7, "levelno": 20, "msg": f"call {CANARIES[0]}", "who": {"mail": CANARIES[1]}}
    with logs.open_log_stream(key, ComputeIOType.STDERR) as stream:
        assert stream is not None
        stream.write(json.dumps(record) + "\n")
        stream.write(f"{CANARIES[2]} is no record\n")

    stored = (logs.get_log_data(key).stderr or b"").decode()
    first, second = stored.splitlines()
    assert json.loads(first) == {**record, "msg": "call [number]", "who": {"mail": "[email]"}}
    assert second == "[pan] is no record"
