"""What a step prints reaches no file and no terminal with a person in it, however it is printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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

    assert [word for word in ("printed", "written", "child", "no newline") if word not in files["out"]] == []
    assert "warned" in files["err"]


def test_the_terminal_works_as_before_once_the_step_has_ended(printed: tuple[str, dict[str, str]]) -> None:
    terminal, _ = printed

    assert "afterwards" in terminal
    assert "printed" in terminal


def test_the_pages_know_when_the_logs_are_complete(tmp_path: Path) -> None:
    from secure_ml.orchestration.compute_logs import RedactedComputeLogManager

    key, logs = ["run", "compute_logs", "step"], RedactedComputeLogManager(str(tmp_path))
    with logs.capture_logs(key):
        assert not logs.is_capture_complete(key)

    assert logs.is_capture_complete(key)
