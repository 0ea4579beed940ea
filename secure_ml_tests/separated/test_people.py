"""Who may start a run, and how; what a kernel refuses to start with; and that nobody keeps the others out."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from secure_ml_tests.fakes.separated import (
    ACTORS,
    ASSESSOR_USER,
    KERNEL_USER,
    PERSON,
    RUN_USER,
    Separated,
    give_roles,
    separated,
    whole_way,
)

pytestmark = pytest.mark.journey

# Users that every system has; here they are people.
AUDITOR, STRANGER = "nobody", "daemon"

MAIN = "from secure_ml.cli.main import main; main()"
SEND = """
import os, sys
from pathlib import Path
from secure_ml.access.stages import Stage
from secure_ml.vault import messages as m
from secure_ml.vault.wire.client import SocketKernel
kernel = SocketKernel(Path(os.environ["SECURE_ML_KERNEL_SOCKET"]))
place = {"environment": "training", "project": "clinic"}
"""
ISSUE = (
    SEND + "print(kernel.send(m.IssueTicket(**place, run_id=sys.argv[1], stages=tuple(Stage)[:3])).model_dump_json())"
)
SHOW = (
    SEND
    + "ticket = m.TicketIssued.model_validate_json(sys.argv[1])\n"
    + "print(kernel.send(m.RecordSource(ticket=ticket, **place, partition='')))"
)
RUN_WITHOUT = """
import json, os, sys
from secure_ml.access.stages import Stage
from secure_ml.definitions import build, open_installation
from secure_ml.orchestration.instance import dagster_instance
from secure_ml.orchestration.resources import ticket_tag
from secure_ml.orchestration.runs import Planned, execute_one
from secure_ml.vault.messages import TicketIssued
from dagster._core.utils import make_new_run_id

client = open_installation()
planned = Planned("clinic__protect", (Stage.RAW,), "")
body = {"actor": "person:asha", "environment": "training", "project": "clinic", "stages": ["raw"], "run_id": "r",
        "holder": "smltest-run", "expires": "2099-01-01T00:00:00+00:00"}
forged = ticket_tag(TicketIssued(body=json.dumps(body).encode(), signature=bytes(64)))
with dagster_instance(client.settings) as instance:
    found = {}
    for name, tag in {"none": "", "no ticket": "abcd" * 100, "forged": forged}.items():
        done = execute_one(build("training"), instance, client.projects["clinic"], "training", planned,
                           run_id=make_new_run_id(), ticket=tag)
        found[name] = (done.success, " ".join(done.failures))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def made() -> Iterator[Separated]:
    with separated(change=whole_way, started=False) as made:
        give_roles(made, {**ACTORS, "person:ines": {"roles": ["auditor"], "logins": [AUDITOR]}})
        made.start()
        yield made


def refused(made: Separated, action: str) -> list[tuple[Any, Any]]:
    return [(e["actor"], e["reason"]) for e in made.log() if e["action"] == action and e["outcome"] == "refused"]


def test_a_login_that_stands_behind_nobody_starts_nothing(made: Separated) -> None:
    said = made.secure_ml("run", "clinic", person=STRANGER)
    assert said.returncode == 1
    assert "no actor here" in said.stderr
    assert refused(made, "run.start")[-1] == ("unverified", "this user of the operating system is no actor here")


def test_a_person_without_the_role_starts_nothing_and_does_what_the_role_allows(made: Separated) -> None:
    said = made.secure_ml("run", "clinic", person=AUDITOR)
    assert said.returncode == 1
    assert "never for auditor" in " ".join(said.stderr.split())
    assert refused(made, "run.start")[-1][0] == "person:ines"
    assert made.secure_ml("audit", "verify", person=AUDITOR).returncode == 0
    assert made.secure_ml("audit", "verify", person=PERSON).returncode == 1


def test_without_sudo_it_says_so_and_nothing_is_asked_for(made: Separated) -> None:
    before = len(made.log())
    said = made.as_user(PERSON, MAIN, "run", "clinic")
    assert said.returncode == 1
    assert "start this with sudo" in " ".join(said.stderr.split())
    assert len(made.log()) == before


def test_a_run_without_a_ticket_or_with_one_that_is_none_reads_nothing(made: Separated) -> None:
    ended = made.as_user(RUN_USER, RUN_WITHOUT)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert not any(success for success, _ in found.values())
    assert "the run has no ticket" in found["none"][1]
    assert "no ticket" in found["no ticket"][1]
    assert "the signature is not" in found["forged"][1]
    assert refused(made, "source.read")[-1][0] == "unverified"


def test_who_asks_for_a_ticket_is_not_who_may_show_it(made: Separated) -> None:
    issued = made.as_user(PERSON, ISSUE, "own")
    assert issued.returncode == 0, issued.stderr
    shown = made.as_user(PERSON, SHOW, issued.stdout)
    assert "another user's to present" in shown.stderr
    assert "another user's to present" in refused(made, "source.read")[-1][1]
    assert "audit_index" in made.as_user(RUN_USER, SHOW, issued.stdout).stdout
    again = made.as_user(RUN_USER, SHOW, issued.stdout)
    assert "in use by another process" in again.stderr


def test_the_assessor_judges_for_no_person(made: Separated) -> None:
    asking = (
        "import os; from pathlib import Path; from secure_ml.access.stages import Stage\n"
        "from secure_ml.orchestration.assessor import RemoteAssessor\n"
        "from secure_ml.vault.wire.client import SocketKernel\n"
        "judge = RemoteAssessor(SocketKernel(Path(os.environ['SECURE_ML_ASSESSOR_SOCKET'])))\n"
        "judge('training', 'clinic', Stage.RAW, '', ('schema',))"
    )
    for login in (PERSON, STRANGER):
        assert "only the runs of an environment" in made.as_user(login, asking).stderr


def test_no_user_keeps_the_others_out(made: Separated) -> None:
    holding = (
        "import os, socket, sys\n"
        "held = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(200)]\n"
        "for one in held: one.connect(os.environ['SECURE_ML_KERNEL_SOCKET']); one.settimeout(0.02)\n"
        "def is_open(one):\n"
        "    try:\n"
        "        while one.recv(4096): pass\n"  # the words of the refusal
        "        return False\n"
        "    except TimeoutError: return True\n"
        "print(sum(map(is_open, held)), flush=True); sys.stdin.read()"
    )
    command = made.as_user_command(RUN_USER, holding)
    with subprocess.Popen(
        command, env=made.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=made.root
    ) as holder:
        assert holder.stdout is not None
        assert int(holder.stdout.readline()) == 64
        assert made.secure_ml("status", "--json").returncode == 0
        holder.communicate()


def kernel_says(made: Separated, **changes: str) -> str:
    """What a further kernel says that is started under another environment."""
    ended = subprocess.run(
        made.as_user_command(KERNEL_USER, MAIN, "kernel"),
        env={**made.environ, **changes},
        cwd=made.root,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    return " ".join(ended.stderr.split())


@pytest.mark.parametrize(
    ("actors", "words"),
    [
        ({"os-user:asha": {"roles": ["sole_user"], "logins": [PERSON]}}, "actors"),
        ({"person:asha": {"roles": ["sole_user"], "logins": [PERSON]}}, "only the kind os-user can hold it"),
        ({"service:dagster": {"roles": ["code_server"], "logins": [RUN_USER]}}, f"{RUN_USER} is whom runs execute as"),
    ],
    ids=["an operating-system user as actor", "its role", "the runs' user as actor"],
)
def test_a_kernel_does_not_start_with_an_actor_that_is_nobody(
    made: Separated, actors: dict[str, object], words: str
) -> None:
    folder = made.root / "access" / "other"
    folder.mkdir(exist_ok=True)
    (folder / "projects").mkdir(exist_ok=True)
    (folder / "actors.yaml").write_text(json.dumps({"actors": actors}), encoding="utf-8")
    assert words in kernel_says(made, SECURE_ML_ACTORS=str(folder / "actors.yaml"))


@pytest.mark.parametrize(
    "changes",
    [
        {"SECURE_ML_RUN_USERS": f"training={KERNEL_USER}"},
        {"SECURE_ML_RUN_USERS": f"training={ASSESSOR_USER}"},
        {"SECURE_ML_ASSESSOR_USER": KERNEL_USER},
    ],
    ids=str,
)
def test_a_kernel_does_not_start_where_two_are_one(made: Separated, changes: dict[str, str]) -> None:
    assert "users of their own" in kernel_says(made, **changes)


def test_a_kernel_does_not_start_under_policies_that_others_may_write(made: Separated) -> None:
    policy = made.projects / "clinic" / "defs.yaml"
    policy.chmod(0o666)
    try:
        assert "others may write there" in kernel_says(made)
    finally:
        policy.chmod(0o644)
    os.chown(made.projects / "clinic", 12345, -1)
    try:
        assert "another user's" in kernel_says(made)
    finally:
        os.chown(made.projects / "clinic", 0, -1)


def test_a_second_kernel_does_not_start_beside_the_first(made: Separated) -> None:
    assert "another process answers on" in kernel_says(made)
    assert made.secure_ml("status", "--json").returncode == 0
