"""Kernel, assessor and launcher that end in the middle of a run, for real: it fails closed, and the next goes on."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from secure_ml_tests.fakes.separated import KERNEL_USER, PERSON, RUN_USER, Separated, separated, whole_way
from secure_ml_tests.separated.test_people import ISSUE, MAIN, SEND

pytestmark = pytest.mark.journey

# In the middle of writing `masked`, where its run has keys and a file that is not whole.
PAUSING = """
import os, time
from pathlib import Path
from secure_ml.vault.parts import PartWriter

home, write = Path(os.environ["SECURE_ML_HOME"]), PartWriter.write

def slowly(self, batch):
    if "/masked/" in str(self._final) and (home / "pause").exists():
        (home / "paused").touch()
        while not (home / "go").exists():
            time.sleep(0.02)
    write(self, batch)

PartWriter.write = slowly
"""
LOOK = """
import json, os
from secure_ml.installation import open_whole
whole = open_whole(os.environ, unfinished=lambda error: None)
whole.log.verify(earlier_checkpoint=None)
print(json.dumps({"heads": {str(h.address): h.version_id for h in whole.versions.all_heads()}}))
"""
KEYS = """
import os, sys
from secure_ml.installation import open_whole
from secure_ml.keys.context import KeyContext
whole = open_whole(os.environ, unfinished=lambda error: None)
whole.keys.open_all([KeyContext("training", "clinic", sys.argv[1], "data", 0, "financial")])
"""
CHARGE = (
    SEND
    + "from secure_ml.privacy.charging import ChargeBudget\n"
    + "ticket = m.TicketIssued.model_validate_json(sys.argv[1])\n"
    + "print(kernel.send(ChargeBudget(ticket=ticket, **place, epsilon='2', delta='0', description='x')))"
)
RELEASE = (
    SEND
    + "ticket = m.TicketIssued.model_validate_json(sys.argv[1])\n"
    + "kernel.send(m.ReleaseKeys(ticket=ticket, **place, by=Stage.SPLIT, stage=Stage.MASKED, partition='',"
    + " version_id=sys.argv[2], columns=('income',), sections=(), assess=False))"
)
ISSUE_TRAINING = ISSUE.replace("tuple(Stage)[:3]", "tuple(Stage)[3:]")


@pytest.fixture(scope="module")
def made() -> Iterator[Separated]:
    with separated(change=whole_way, started=False) as made:
        (made.tree / "secure_ml" / "defs" / "pausing.py").write_text(PAUSING, encoding="utf-8")
        made.start()
        yield made


@contextmanager
def paused(made: Separated) -> Iterator[subprocess.Popen[str]]:
    """A run in the middle of `masked`; at the end of the block it goes on, if it still can."""
    marks = {name: made.home / name for name in ("pause", "paused", "go")}
    for mark in marks.values():
        mark.unlink(missing_ok=True)
    marks["pause"].touch()
    run = made.begin("run", "clinic", "--until", "masked")
    try:
        waited = time.monotonic() + 120
        while not marks["paused"].exists():
            assert run.poll() is None, run.communicate()
            assert time.monotonic() < waited
            time.sleep(0.05)
        yield run
    finally:
        marks["pause"].unlink()
        marks["go"].touch()


def heads(made: Separated) -> dict[str, str]:
    """The heads, once the log has verified."""
    looked = made.as_user(KERNEL_USER, LOOK)
    assert looked.returncode == 0, looked.stderr
    found: dict[str, str] = json.loads(looked.stdout)["heads"]
    return {address.rpartition("/")[2]: version for address, version in found.items()}


def last(made: Separated, action: str) -> dict[str, Any]:
    return [entry for entry in made.log() if entry["action"] == action][-1]


def begun(made: Separated) -> set[str]:
    """Folders of masked versions that are there."""
    folder = made.home / "vault" / "training" / "clinic" / "masked" / "_"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def issued(made: Separated, run_id: str) -> str:
    """A ticket for a run that trains, asked for in a person's name."""
    asked = made.as_user(PERSON, ISSUE_TRAINING, run_id)
    assert asked.returncode == 0, asked.stderr
    return asked.stdout


def runs_well(made: Separated) -> dict[str, str]:
    """The heads after another run."""
    ended = made.secure_ml("run", "clinic", "--until", "masked")
    assert ended.returncode == 0, ended.stderr
    return heads(made)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_kernel_that_ends_in_the_middle_of_a_write_leaves_nothing_of_it(made: Separated, how: signal.Signals) -> None:
    before, there = heads(made), begun(made)
    with paused(made) as run:
        (lost,) = begun(made) - there
        made.service("kernel").send_signal(how)
        assert made.service("kernel").wait(60) == (0 if how is signal.SIGTERM else -how)
        assert made.kernel_socket.exists() is (how is signal.SIGKILL)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "KernelUnavailable" in said
    assert "secure-ml kernel" in said
    made.start_kernel()
    assert heads(made).get("masked") == before.get("masked")
    if how is signal.SIGTERM:
        # It had the time to destroy the keys of what will not be committed.
        assert "KeyDestroyed" in made.as_user(KERNEL_USER, KEYS, lost).stderr
    else:
        ticket = issued(made, "another")
        assert "this run has not opened the version" in made.as_user(RUN_USER, RELEASE, ticket, lost).stderr
        assert runs_well(made)["masked"] != lost


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_with_its_launcher_a_run_ends_and_so_do_the_keys_of_what_it_wrote(made: Separated, how: signal.Signals) -> None:
    there = begun(made)
    with paused(made) as run:
        (lost,) = begun(made) - there
        run.send_signal(how)
        run.communicate(timeout=60)
        assert run.returncode != 0
        waited = time.monotonic() + 30
        while (keys := made.as_user(KERNEL_USER, KEYS, lost)).returncode == 0 and time.monotonic() < waited:
            time.sleep(0.2)
    assert "KeyDestroyed" in keys.stderr
    abandoned = last(made, "version.abandon")
    assert (abandoned["details"]["version_id"], abandoned["outcome"]) == (lost, "failed")


def test_without_an_assessor_a_run_fails_closed_and_goes_on_when_it_is_back(made: Separated) -> None:
    made.service("assessor").kill()
    made.service("assessor").wait()
    ended = made.secure_ml("run", "clinic", "--until", "masked")
    assert ended.returncode == 1
    assert "KernelUnavailable" in ended.stderr
    assert "secure-ml assessor" in ended.stderr
    status = json.loads(made.secure_ml("status", "--json").stdout)
    assert status["projects"]["clinic"]["stages"]["raw"]["unchecked"] == 1
    made.start_assessor()
    runs_well(made)


def test_a_kernel_that_is_killed_gives_no_budget_back_and_takes_no_older_ticket(made: Separated) -> None:
    shown, waiting = (issued(made, run_id) for run_id in ("shown", "waiting"))
    assert "charge_id" in made.as_user(RUN_USER, CHARGE, shown).stdout
    made.service("kernel").kill()
    made.service("kernel").wait()
    made.start_kernel()
    for ticket in (shown, waiting):
        assert "the kernel was started again" in made.as_user(RUN_USER, CHARGE, ticket).stderr
    assert last(made, "budget.charge")["outcome"] == "refused"
    fresh = issued(made, "fresh")
    assert "BudgetExhausted" in made.as_user(RUN_USER, CHARGE, fresh).stderr
    status = json.loads(made.secure_ml("status", "--json").stdout)
    assert status["projects"]["clinic"]["epsilon_spent"] == "2"


def test_where_another_owns_the_sockets_folder_nobody_speaks_and_no_kernel_starts(made: Separated) -> None:
    folder = made.kernel_socket.parent
    owner = folder.stat().st_uid
    os.chown(folder, made.home.stat().st_uid, -1)
    try:
        said = made.secure_ml("status")
        assert said.returncode == 1
        assert "not the owner of the socket's folder" in " ".join(said.stderr.split())
        further = made.as_user(KERNEL_USER, MAIN, "kernel")
        assert "must belong to this user" in " ".join(further.stderr.split())
    finally:
        os.chown(folder, owner, -1)
    assert made.secure_ml("status").returncode == 0
