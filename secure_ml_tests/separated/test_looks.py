"""People look at data outside of any run, and have masked values back, each as a user of the operating system, over the
kernel's socket.
"""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from secure_ml.policy.load import load_policy
from secure_ml_tests.docs.pages import ROOT, blocks
from secure_ml_tests.fakes.reversible_columns import REVERSIBLE, with_reversible_columns
from secure_ml_tests.fakes.separated import (
    ACTORS,
    COLLEAGUE,
    RUN_USER,
    SCIENTIST,
    Separated,
    give_roles,
    project_rows,
    separated,
    whole_way,
)
from secure_ml_tests.fakes.small_project import IDENTIFIERS, Attributes, attributes
from secure_ml_tests.separated.test_people import MAIN

pytestmark = pytest.mark.journey

# Users that every system has, without the group that may read ciphertext.
STEWARD, ADMIN, OUTSIDER = "daemon", "nobody", "bin"
PEOPLE = {
    **ACTORS,
    "person:lin": {"roles": ["data_scientist"], "logins": [SCIENTIST]},
    "person:omar": {"roles": ["data_scientist"], "logins": [COLLEAGUE]},
    "person:noor": {"roles": ["data_scientist"], "logins": [OUTSIDER]},
    "person:sam": {"roles": ["data_steward"], "logins": [STEWARD]},
    "person:ada": {"roles": ["admin", "data_scientist"], "logins": [ADMIN]},
}
OPEN = ["region", "diagnosis", "approved"]
"""Of a diagnosis its treatment leaves that there is one."""

PURPOSE = attributes()["purpose"]
MASKED = {"environment": "training", "project": "clinic", "stage": "masked", "purpose": PURPOSE}
RAW = {**MASKED, "stage": "raw"}
GRANTED = {**RAW, "columns": ["income", "remark"]}

LOOK = """
import json, sys
from secure_ml.access.stages import Stage
from secure_ml.definitions import open_installation

def look(asked):
    try:
        return installation.explore(**{**asked, "stage": Stage(asked["stage"])}).read().to_pydict()
    except Exception as error:
        return f"{type(error).__name__}: {error}"

installation = open_installation()
print(json.dumps({name: look(asked) for name, asked in json.loads(sys.argv[1]).items()}, default=str))
"""
REACH = """
import json, os, sys
from pathlib import Path

def opened(path):
    try:
        return "listed" if path.is_dir() and os.listdir(path) is not None else path.read_bytes() is not None and "read"
    except PermissionError:
        return "closed"

home, words = Path(os.environ["SECURE_ML_HOME"]), [word.encode() for word in json.loads(sys.argv[1])]
files = [path for path in (home / "vault").rglob("*") if path.is_file()]
found = {
    "files": len(files),
    "values": sum(word in path.read_bytes() for path in files for word in words),
    "writable": [str(path) for path in (home, *home.rglob("*")) if os.access(path, os.W_OK)],
    "others": {name: opened(home / name) for name in os.listdir(home) if name != "vault"},
    "keys": opened(Path(os.environ["SECURE_ML_KEYS"])),
}
print(json.dumps(found))
"""
LATER = """

def _utc_now() -> datetime:
    from datetime import timedelta

    return datetime.now(UTC) + timedelta(hours=9)
"""


def _change(content: Attributes) -> None:
    whole_way(content)
    with_reversible_columns(content)


@pytest.fixture(scope="module")
def made() -> Iterator[Separated]:
    with separated(change=_change, started=False) as made:
        give_roles(made, PEOPLE)
        made.start()
        ran = made.secure_ml("run", "clinic", "--until", "masked")
        assert ran.returncode == 0, ran.stderr
        yield made


def looks(made: Separated, login: str, **asked: dict[str, Any]) -> dict[str, Any]:
    """What a user's own process gets of each look."""
    said = made.as_user(login, LOOK, json.dumps(asked))
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def access(made: Separated, login: str, *arguments: str) -> dict[str, Any]:
    said = made.as_user(login, MAIN, "access", *arguments, "--json")
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def granted(made: Separated, look: dict[str, Any] = GRANTED) -> str:
    """The id of a grant that the scientist asked for, and the steward agreed to."""
    columns = [word for name in look["columns"] for word in ("--column", name)]
    why = ("--stage", look["stage"], "--hours", "8", "--reason", "cells do not parse")
    asked = access(made, SCIENTIST, "request", "clinic", *columns, *why)
    return access(made, STEWARD, "approve", "clinic", asked["grant_id"])["grant_id"]


def logged(made: Separated, actor: str, outcome: str) -> list[dict[str, Any]]:
    return [e for e in made.log() if (e["actor"], e["outcome"]) == (actor, outcome) and "version." in e["action"]]


def test_what_the_page_says_shows_a_scientist_the_features_that_are_not_sensitive(made: Separated) -> None:
    [snippet] = [block for block in blocks(ROOT / "docs" / "access.md") if block.kind == "python"]
    shipped = load_policy(ROOT / "secure_ml" / "defs" / "loan_approval" / "defs.yaml").purpose
    typed = "\n".join(snippet.lines)
    assert f'"{shipped}"' in typed
    typed = typed.replace(shipped, PURPOSE).replace("loan_approval", "clinic")
    said = made.as_user(SCIENTIST, re.sub(r'partition="[^"]+",', "", typed) + "\nprint(look.read().num_rows)")
    assert said.returncode == 0, said.stderr
    shown, count = said.stdout.rpartition("]")[::2]
    assert (shown + "]", int(count) > 100) == (str(OPEN), True)
    (entry, _) = logged(made, "person:lin", "allowed")[-2:]
    assert (entry["action"], entry["details"]["columns"]) == ("version.read", OPEN)


def test_what_is_sensitive_and_what_is_raw_is_refused_without_a_grant(made: Separated) -> None:
    said = looks(
        made,
        SCIENTIST,
        pii={**MASKED, "columns": ["gender"]},
        token={**MASKED, "columns": ["member_id"]},
        financial={**MASKED, "columns": ["income"]},
        beside={**MASKED, "columns": ["region", "income"]},
        raw=RAW,
        column={**RAW, "columns": ["region"]},
        purpose={**MASKED, "purpose": "to see who they are"},
        production={**MASKED, "environment": "production"},
    )
    assert {name: words[:14] for name, words in said.items()} == dict.fromkeys(said, "AccessRefused:")
    refused = logged(made, "person:lin", "refused")
    assert len(refused) >= len(said)


def test_a_grant_opens_its_columns_to_its_person_for_its_purpose_until_it_is_ended(made: Separated) -> None:
    grant = granted(made)
    tries = {
        "granted": GRANTED,
        "column": {**RAW, "columns": ["income", "email"]},
        "purpose": {**GRANTED, "purpose": "to see who they are"},
        "stage": {**MASKED, "columns": ["income"]},
    }
    said = looks(made, SCIENTIST, **tries)
    table = project_rows()
    assert said.pop("granted") == {name: [row[name] for row in table] for name in GRANTED["columns"]}
    assert {name: words[:14] for name, words in said.items()} == dict.fromkeys(said, "AccessRefused:")
    read = [e for e in logged(made, "person:lin", "allowed") if e["details"]["columns"] == GRANTED["columns"]]
    assert {e["action"] for e in read} == {"version.open", "version.read"}
    assert all(grant in e["reason"] for e in read)
    assert looks(made, COLLEAGUE, another=GRANTED)["another"].startswith("AccessRefused:")
    assert logged(made, "person:omar", "refused")
    access(made, STEWARD, "revoke", "clinic", grant)
    assert looks(made, SCIENTIST, after=GRANTED)["after"].startswith("AccessRefused:")


def test_an_administrator_reads_nothing_whatever_other_role_they_have(made: Separated) -> None:
    tries = {f"{stage} {column}": {**MASKED, "stage": stage, "columns": [column]}
             for stage in ("raw", "masked") for column in ("region", "income")}  # fmt: skip
    said = looks(made, ADMIN, all=MASKED, **tries)
    assert {name: words[:14] for name, words in said.items()} == dict.fromkeys(said, "AccessRefused:")
    assert not logged(made, "person:ada", "allowed")


def test_the_group_gives_ciphertext_and_nothing_else(made: Separated) -> None:
    words = [row[name] for row in project_rows() for name in IDENTIFIERS]
    said = made.as_user(SCIENTIST, REACH, json.dumps(words))
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["files"] >= 3
    assert (found["values"], found["writable"], found["keys"]) == (0, [], "closed")
    assert "dagster" in found["others"]
    assert set(found["others"].values()) == {"closed"}


def test_without_the_group_it_says_what_is_missing_and_no_key_is_given(made: Separated) -> None:
    said = looks(made, OUTSIDER, masked=MASKED)["masked"]
    assert said.startswith("StorageError:")
    assert "group that may read them (docs/separated.md" in said
    assert {e["action"] for e in logged(made, "person:noor", "allowed")} == {"version.open"}


def reveal(made: Separated, login: str, cell: str, column: str) -> subprocess.CompletedProcess[str]:
    """The command of the page, with the names of the small project, and the cell on standard input."""
    [shown] = [
        block
        for block in blocks(ROOT / "docs" / "access.md")
        if block.kind == "text" and "secure-ml reveal" in block.lines[0]
    ]
    prompt, typed = shown.lines[-1], " ".join(line.rstrip("\\") for line in shown.lines[:-1])
    assert prompt == "masked value:"
    words = shlex.split(typed.removeprefix("steward$").replace("loan_approval application_id", f"clinic {column}"))
    assert words[:4] == ["secure-ml", "reveal", "clinic", column]
    at = words.index("--partition")
    command = made.as_user_command(login, MAIN, *words[1:at], *words[at + 2 :])
    return subprocess.run(
        command, input=cell, env=made.environ, cwd=made.root, capture_output=True, text=True, check=False, timeout=300
    )


def test_of_what_a_scientist_sees_under_a_grant_the_steward_alone_has_a_value_back(made: Separated) -> None:
    masked = {**MASKED, "columns": [*REVERSIBLE, "region"]}
    granted(made, {**masked, "columns": list(REVERSIBLE)})
    seen = looks(made, SCIENTIST, masked=masked)["masked"]
    people = [row for row in project_rows() if row["agreed"] == "yes"]
    assert len(seen["email"]) == len(people)
    for column in REVERSIBLE:
        said = reveal(made, STEWARD, seen[column][11], column)
        assert (said.returncode, said.stdout) == (0, people[11][column] + "\n"), said.stderr
        assert people[11][column] not in said.stderr
    for login in (SCIENTIST, ADMIN, RUN_USER, OUTSIDER):
        said = reveal(made, login, seen["email"][11], "email")
        assert (said.returncode, said.stdout) == (1, "")
        assert "error AccessRefused: training/clinic/masked" in said.stderr
    entries = [entry for entry in made.log() if entry["action"] == "value.reveal"]
    assert [entry["outcome"] for entry in entries] == [*["allowed", "done"] * 2, *["refused"] * 4]
    assert [entry["actor"] for entry in entries[3:]] == [
        "person:sam", "person:lin", "person:ada", "unverified", "person:noor",
    ]  # fmt: skip
    kept = [made.root / "kernel.out", *(path for path in made.kernel_folder.rglob("*") if path.is_file())]
    words = [text.encode() for column in REVERSIBLE for text in (seen[column][11], people[11][column])]
    assert not [path for path in kept for word in words if word in path.read_bytes()]


def test_a_grant_whose_hours_are_over_opens_nothing(made: Separated) -> None:
    granted(made)
    assert "income" in looks(made, SCIENTIST, before=GRANTED)["before"]
    made.service("kernel").terminate()
    made.service("kernel").wait()
    composition = made.tree / "secure_ml" / "installation.py"
    before = composition.read_text(encoding="utf-8")
    composition.write_text(before + LATER, encoding="utf-8")
    made.start_kernel()
    said = looks(made, SCIENTIST, after=GRANTED, masked=MASKED)
    assert said["after"].startswith("AccessRefused:")
    assert set(said["masked"]) == set(OPEN)
