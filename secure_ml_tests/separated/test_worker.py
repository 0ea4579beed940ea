"""The worker's loop in its own namespace: whatever becomes of a run, it is told as one line, and nothing lives on."""

import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secure_ml.access.stages import Stage
from secure_ml.cli.confinement import confined, socket_filter
from secure_ml.cli.worker import LONGEST_LINE, NotAlone, main, read_outcome
from secure_ml.orchestration.runs import Planned, RunError
from secure_ml_tests.fakes.separated import RUN_USER, Separated, separated

PLANNED = Planned("job", (Stage.RAW,), "")

DRIVEN = r"""
import json, os, subprocess, sys, time
from secure_ml.cli import worker
from secure_ml.orchestration.runs import Outcome

worker._INTERRUPT_SECONDS = 1

def well(planned, run_id, ticket):
    return Outcome(planned, run_id, True, (), (("raw.schema", "fine", False),))

def ends(*_):
    os._exit(3)

def raises(*_):
    raise ValueError("Zorblax Quillfeather")

def leaves(planned, run_id, ticket):
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    return well(planned, run_id, ticket)

def answers_for_others(planned, run_id, ticket):
    for name in os.listdir("/proc/self/fd"):
        if os.readlink(f"/proc/self/fd/{name}") == answers_of:
            os.write(int(name), b'{"success": true, "failures": [], "checks": []}\n')
    return well(planned, run_id, ticket)

def talks(*_):
    for name in map(int, os.listdir("/proc/self/fd")):
        if name > 2 and os.path.exists(link := f"/proc/self/fd/{name}") and os.readlink(link).startswith("pipe:"):
            os.write(name, b"x" * 2**23)

def hangs(*_):
    time.sleep(600)

def hangs_on(*_):
    while True:
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            pass

asked = {"job": "job", "stages": ["raw"], "partition": "", "run_id": "r", "ticket": "t"}
found = {}
for execute in (well, ends, raises, leaves, answers_for_others, talks, hangs, hangs_on):
    heard, answers = os.pipe()
    os.set_blocking(heard, False)
    answers_of = os.readlink(f"/proc/self/fd/{answers}")
    asking = subprocess.Popen(["sleep", "0.5" if execute in (hangs, hangs_on) else "600"], stdout=subprocess.PIPE)
    os.dup2(asking.stdout.fileno(), 0)
    asking.stdout.close()
    began = time.monotonic()
    told = worker._in_a_child(asked, execute, answers)
    try:
        forged = os.read(heard, 100).decode()
    except BlockingIOError:
        forged = ""
    left = [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) > 2]
    asking.returncode = 0  # the worker has waited for it
    found[execute.__name__] = {"told": told.decode(), "forged": forged, "left": left, "took": time.monotonic() - began}
sys.stdout.write(json.dumps(found))
"""


@pytest.fixture(scope="module")
def made() -> Iterator[Separated]:
    with separated(started=False) as made:
        yield made


@pytest.fixture(scope="module")
def driven(made: Separated) -> dict[str, Any]:
    ended = in_view(made, [str(made.python), "-I", "-c", DRIVEN])
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def in_view(made: Separated, command: list[str]) -> subprocess.CompletedProcess[str]:
    """The command, confined, with the installation's code in view."""
    packages = Path(pytest.__file__).resolve().parents[1]
    readable = {made.tree, made.root / "venv", packages}
    with confined(pwd.getpwnam(RUN_USER), readable=readable, writable={made.home}) as (before, descriptor):
        return subprocess.run(
            [*before, *command],
            pass_fds=(descriptor,),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=made.home,
            env={"PATH": os.defpath, "SECURE_ML_HOME": str(made.home)},
        )


def outcome(driven: dict[str, Any], name: str) -> Any:
    return read_outcome(driven[name]["told"], PLANNED, run_id="r")


def test_a_run_that_ends_well_is_told(driven: dict[str, Any]) -> None:
    told = outcome(driven, "well")
    assert (told.success, told.run_id, told.planned) == (True, "r", PLANNED)
    assert told.failed_checks == (("raw.schema", "fine", False),)


def test_a_process_that_ends_without_a_word_is_told(driven: dict[str, Any]) -> None:
    told = outcome(driven, "ends")
    assert not told.success
    assert told.failures == ("the run's process ended (3) before it could tell what it came to",)


def test_of_an_error_its_class_is_told_and_not_its_text(driven: dict[str, Any]) -> None:
    (words,) = outcome(driven, "raises").failures
    assert "ValueError" in words
    assert "Zorblax" not in words


def test_nothing_of_any_run_lives_on(driven: dict[str, Any]) -> None:
    assert {name: found["left"] for name, found in driven.items()} == {name: [] for name in driven}
    assert outcome(driven, "leaves").success


def test_a_run_answers_for_no_other(driven: dict[str, Any]) -> None:
    assert {found["forged"] for found in driven.values()} == {""}


def test_what_is_longer_than_any_outcome_is_none(driven: dict[str, Any]) -> None:
    assert not outcome(driven, "talks").success


def test_a_run_whose_launcher_is_gone_is_interrupted_and_then_ended(driven: dict[str, Any]) -> None:
    assert "KeyboardInterrupt" in outcome(driven, "hangs").failures[0]
    assert "ended (-9)" in outcome(driven, "hangs_on").failures[0]
    assert driven["hangs_on"]["took"] < 30


def test_the_worker_does_not_start_beside_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["worker", "clinic", "training"])
    with pytest.raises(NotAlone, match="secure-ml run"):
        main()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"success": true}',
        '{"success": true, "failures": 3, "checks": []}',
        '{"success": true, "failures": [], "checks": [["a"]]}',
        "[" * 100_000,
    ],
    ids=range(8),
)
def test_what_is_no_outcome_is_refused(line: str) -> None:
    with pytest.raises(RunError, match="did not tell"):
        read_outcome(line, PLANNED, run_id="r")


def test_only_the_word_true_is_success_and_words_obey_no_terminal() -> None:
    line = json.dumps({"success": "yes", "failures": ["\x1b[8mhidden"], "checks": [["a\x07", "b\x1b]0;x", True]]})
    told = read_outcome(line, PLANNED, run_id="r")
    assert not told.success
    assert told.failures == ("\ufffd[8mhidden",)
    assert told.failed_checks == (("a\ufffd", "b\ufffd]0;x", True),)
    assert len(line) < LONGEST_LINE


def test_a_command_sees_what_it_is_shown_and_has_no_descriptor_but_three(made: Separated) -> None:
    look = "[os.listdir('/'), os.listdir('/proc/self/fd'), os.getcwd(), os.getgroups()]"
    ended = in_view(made, [str(made.python), "-I", "-c", f"import os, json; print(json.dumps({look}))"])
    root, descriptors, folder, groups = json.loads(ended.stdout)
    assert {"home", "root", "srv", "boot", "mnt", "opt"}.isdisjoint(root)
    assert sorted(map(int, descriptors))[:3] == [0, 1, 2]
    # The fourth is that of the listing itself.
    assert len(descriptors) == 4
    assert folder == str(made.home)
    assert 0 not in groups


def test_it_ends_with_whoever_started_it(made: Separated, tmp_path: Path) -> None:
    beat = made.home / "beat"
    program = (
        "import os, pwd, subprocess, sys; from pathlib import Path; from secure_ml.cli.confinement import confined\n"
        "home = Path(sys.argv[1])\n"
        "loop = f'while :; do date > {home}/beat; sleep 0.05; done'\n"
        "with confined(pwd.getpwnam(sys.argv[2]), readable=set(), writable={home}) as (before, descriptor):\n"
        "    subprocess.run([*before, 'sh', '-c', loop], pass_fds=(descriptor,))\n"
    )
    starter = subprocess.Popen([made.python, "-c", program, str(made.home), RUN_USER], env=made.environ)
    waited = time.monotonic() + 60
    while not beat.exists() and time.monotonic() < waited:
        time.sleep(0.05)
    assert beat.exists()
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    time.sleep(0.5)
    last = beat.stat().st_mtime
    time.sleep(1)
    assert beat.stat().st_mtime == last


def test_a_machine_whose_system_calls_are_not_known_confines_nothing() -> None:
    assert len(socket_filter("x86_64")) == len(socket_filter("aarch64"))
    with pytest.raises(RunError, match="this one is riscv64"):
        socket_filter("riscv64")


@pytest.mark.parametrize(("tool", "package"), [("bwrap", "bubblewrap"), ("setpriv", "util-linux")])
def test_without_its_tools_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tool: str, package: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if name == tool else f"/usr/bin/{name}")
    with (
        pytest.raises(RunError, match=f"{tool} not found: install {package}"),
        confined(pwd.getpwuid(os.getuid()), readable=set(), writable={tmp_path}),
    ):
        pass
