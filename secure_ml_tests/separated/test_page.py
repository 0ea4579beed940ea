"""docs/separated.md, typed as it stands, and what it sets up: the very names and folders, on a machine's other face.

Root's lines and files become a script that runs in mounts and processes of its own, so that users, folders and services
bear the names of the page and the machine that the tests run on keeps none of them.
"""

import json
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from secure_ml_tests.docs.pages import ROOT
from secure_ml_tests.fakes.needed import need
from secure_ml_tests.fakes.separated import lay_out_code, project_rows, require_root, whole_way
from secure_ml_tests.fakes.small_project import as_csv, attributes, write_policy

pytestmark = pytest.mark.journey

PAGE = (ROOT / "docs" / "separated.md").read_text(encoding="utf-8")
PERSON, SCIENTIST = "engineer", "scientist"
_BLOCK = re.compile(r"(?P<before>(?:[^\n]+\n)*)\n```(?P<kind>console|text|yaml)\n(?P<body>.*?)```", re.DOTALL)
_FILE = re.compile(r"`(/etc/[\w/.-]+)`")
_ENVIRON = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_PATIENCE_SECONDS = 60

# Copies where users are made and files written, empty folders where services live, and the checkout where it belongs.
_ANOTHER_FACE = """
set -eu
umask 022
made=$1
for folder in /etc /usr/local/bin; do
    mkdir -p "$made$folder"
    cp -a "$folder/." "$made$folder"
    mount --bind "$made$folder" "$folder"
done
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=755 none /var/lib
mount -t tmpfs -o mode=755 none /opt
mkdir /opt/secure-ml
mount --bind "$made/code" /opt/secure-ml
useradd --create-home --home-dir /run/engineer engineer
useradd --no-create-home --home-dir /nonexistent scientist
# Nobody is there to type a password.
echo 'Defaults !authenticate' > /etc/sudoers.d/without-password
"""


def root_script() -> str:
    """What root types and writes, in the order of the page."""
    lines = [_ANOTHER_FACE]
    for block in _BLOCK.finditer(PAGE.partition("## Use")[0] + section("A look at data")):
        if block["body"].startswith("# install -m 644"):
            # The other way to start the services: there is no systemd here (test_units.py).
            continue
        if block["kind"] == "console":
            if "secure-ml kernel" in block["body"]:
                # A project of its own, where the page has policies lie.
                lines.append('cp -a "$made/clinic" /etc/secure-ml/projects/')
            lines += [typed(line, "# ") for line in block["body"].splitlines()]
        else:
            file = _FILE.findall(block["before"])[0]
            lines.append(f"cat > {file} <<'THE END'\n{block['body']}THE END")
    return "\n".join([*lines, "wait"])


def person_script() -> str:
    """What the person types, with the small project in place of the shipped one."""
    (block,) = (found for found in _BLOCK.finditer(section("Use")) if found["kind"] == "console")
    lines = [typed(line, "$ ") for line in block["body"].splitlines()]
    return "\n".join(["set -eu", *lines]).replace("loan_approval", "clinic")


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def typed(line: str, prompt: str) -> str:
    assert line.startswith(prompt), line
    return line.removeprefix(prompt)


@dataclass(frozen=True)
class Installed:
    """What the page has set up.

    Attributes:
        pid: process that keeps its mounts and processes.
        said: what the person's lines printed.
        code: their exit code.
    """

    pid: int
    said: str
    code: int

    def by(self, login: str, command: str) -> subprocess.CompletedProcess[str]:
        """A shell's line, typed by a user of the installation, who is told what the page tells every process."""
        told = f"set -a; . /etc/secure-ml/environment; set +a; cd /; {command}"
        return shell(self.pid, login, told)


def shell(pid: int, login: str, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["nsenter", f"--target={pid}", "--mount", "--pid", "su", "--shell=/bin/bash", login, "-c", script],
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
        env=_ENVIRON,
    )


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    require_root()
    need(shutil.which("sudo"), "the page has people use sudo: apt-get install sudo")
    with tempfile.TemporaryDirectory(prefix="page-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        lay_out_code(folder / "code", folder / "code" / ".venv", seen_at=Path("/opt/secure-ml"))
        write_project(folder / "clinic")
        said = folder / "said"
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", root_script()]
        with said.open("wb") as out:
            keeper = subprocess.Popen(
                [*command, "page", name], stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=_ENVIRON
            )
        try:
            pid = first_child(keeper, said)
            ended = shell(pid, PERSON, person_script())
            yield Installed(pid, ended.stdout + ended.stderr + said.read_text(encoding="utf-8"), ended.returncode)
        finally:
            keeper.kill()
            keeper.wait()


def first_child(keeper: subprocess.Popen[bytes], said: Path) -> int:
    """The process in the new mounts, once both services answer there."""
    waited = time.monotonic() + _PATIENCE_SECONDS
    sockets = ("run/secure-ml-kernel/kernel.sock", "run/secure-ml-judge/assessor.sock")
    while time.monotonic() < waited and keeper.poll() is None:
        children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text(encoding="ascii").split()
        if children and all(Path(f"/proc/{children[0]}/root", socket).exists() for socket in sockets):
            return int(children[0])
        time.sleep(0.1)
    pytest.fail(f"what the page says did not come up: {said.read_text(encoding='utf-8')}")


def write_project(folder: Path) -> None:
    content = attributes()
    whole_way(content)
    write_policy(folder, content)
    (folder / "table.csv").write_text(as_csv(project_rows()), encoding="utf-8")


def test_what_the_page_says_runs_a_project_to_its_end(installed: Installed) -> None:
    assert installed.code == 0, installed.said
    assert "clinic is registered" in " ".join(installed.said.split())
    status = json.loads(installed.by(PERSON, "secure-ml status --json").stdout)
    assert status["profile"] == "separated"
    stages = status["projects"]["clinic"]["stages"]
    assert [stage["versions"] for stage in stages.values()] == [1] * 7
    assert not any(stage["unchecked"] or stage["closed_by_checks"] for stage in stages.values())


def test_the_actor_is_the_person_and_the_judge_is_the_assessor(installed: Installed) -> None:
    read = (
        "import json, os; from secure_ml.installation import open_whole;"
        "whole = open_whole(os.environ, unfinished=lambda error: None);"
        "print(json.dumps(sorted({(e.action, e.actor) for e in whole.log.entries()})))"
    )
    told = installed.by("secure-ml-kernel", f"/opt/secure-ml/.venv/bin/python -c {shlex.quote(read)}")
    assert told.returncode == 0, told.stderr
    entries = json.loads(told.stdout)
    assert [actor for action, actor in entries if action == "version.commit"] == ["person:first.engineer"]
    assert [actor for action, actor in entries if action == "verdict.record"] == ["service:assessor"]


def test_a_person_of_the_vaults_group_looks_at_what_their_role_opens(installed: Installed) -> None:
    look = (
        "from secure_ml.access.stages import Stage; from secure_ml.definitions import open_installation;"
        "place = dict(environment='training', project='clinic', stage=Stage.MASKED);"
        f"look = open_installation().explore(**place, purpose={attributes()['purpose']!r});"
        "print(look.read().schema.names)"
    )
    command = f"/opt/secure-ml/.venv/bin/python -c {shlex.quote(look)}"
    said = installed.by(SCIENTIST, command)
    assert said.stdout == "['region', 'diagnosis', 'approved']\n", said.stderr
    assert "no role" in installed.by(PERSON, command).stderr


def test_a_table_beside_its_policy_is_covered_below_etc_too_but_where_raw_is_made(installed: Installed) -> None:
    view = (
        "import pwd; from secure_ml.cli.launcher import begin; from secure_ml.definitions import open_installation;"
        "client, user = open_installation(), pwd.getpwnam('secure-ml-run');"
        "who = (client, client.projects['clinic'], 'training', user, ['ls', '/etc/secure-ml/projects/clinic']);"
        "print(*(begin(*who, with_source=source).communicate()[0].split() for source in (True, False)))"
    )
    said = installed.by("root", f"/opt/secure-ml/.venv/bin/python -c {shlex.quote(view)}")
    assert said.stdout == "[b'defs.yaml', b'table.csv'] [b'defs.yaml']\n", said.stderr


def test_only_the_kernels_user_reads_keys_and_state(installed: Installed) -> None:
    for file in ("keys/root.key", "keys/keys.db", "state/state.db"):
        command = f"head -c 1 /var/lib/secure-ml-kernel/{file} | wc -c"
        assert installed.by("secure-ml-kernel", command).stdout.strip() == "1"
        for login in (PERSON, "secure-ml-run", "secure-ml-judge"):
            denied = installed.by(login, command)
            assert (denied.stdout.strip(), "Permission denied" in denied.stderr) == ("0", True)


def test_the_person_reads_no_data_and_the_judge_no_more_than_ciphertext(installed: Installed) -> None:
    listing = "find /var/lib/secure-ml/vault -name '*.parquet' | wc -l"
    assert int(installed.by("secure-ml-judge", listing).stdout) >= 7
    assert "Permission denied" in installed.by(PERSON, listing).stderr
    assert installed.by("secure-ml-judge", "touch /var/lib/secure-ml/vault/planted").returncode != 0


@pytest.mark.parametrize(
    "line",
    [
        "sudo -n id -u",
        "sudo -n secure-ml status",
        "sudo -n secure-ml kernel",
        "sudo -n SECURE_ML_RUN_USERS=training=secure-ml-kernel secure-ml run clinic --until raw",
        "SECURE_ML_RUN_USERS=training=secure-ml-kernel sudo -n --preserve-env secure-ml run clinic --until raw",
        "PYTHONPATH=/run/engineer sudo -n --preserve-env=PYTHONPATH secure-ml run clinic --until raw",
    ],
)
def test_sudo_gives_the_person_that_command_and_its_file_and_nothing_else(installed: Installed, line: str) -> None:
    said = installed.by(PERSON, line)
    assert said.returncode == 1
    assert "not allowed" in said.stderr or "a password is required" in said.stderr, said.stderr


def test_what_stands_in_the_persons_environment_is_not_believed(installed: Installed) -> None:
    said = installed.by(PERSON, "SECURE_ML_RUN_USERS=training=secure-ml-kernel SECURE_ML_HOME=/run/engineer "
                                "sudo -n secure-ml run clinic --until raw")  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert installed.by("secure-ml-run", "test -e /run/engineer/vault").returncode != 0
