"""The source is in view where `raw` is made, and nowhere else: its folder, its database, and other projects' tables."""

import pwd
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.cli import launcher
from secure_ml.orchestration.runs import RunError, plan
from secure_ml.policy.projects import find_projects
from secure_ml.settings import read_settings
from secure_ml.vault.client import Client
from secure_ml.vault.wire.client import SocketKernel
from secure_ml_tests.fakes.separated import ENVIRONMENT, RUN_USER, Separated, add_project, separated
from secure_ml_tests.fakes.small_project import Attributes, attributes
from secure_ml_tests.separated.story import Story

URL = "CLINIC_DATABASE_URL"
LOOK = 'printenv "$1"; shift; for place in "$@"; do echo "$place: $(ls -A "$place" 2>&1)"; done'


@pytest.fixture(scope="module")
def made() -> Iterator[Separated]:
    with separated(started=False) as made:
        incoming = made.home / "incoming"
        incoming.mkdir(mode=0o755)
        (incoming / "table.csv").touch(mode=0o644)
        whole: Attributes = {"partitions": {"kind": "none"}}
        sql = {**whole, "format": "sql", "url_env": URL, "query": "SELECT * FROM members"}
        add_project(made, {**attributes(partitioned=True), "project": "ward"})
        add_project(made, {**attributes(), "project": "surgery", "source": sql})
        csv = {**whole, "format": "csv", "path": str(incoming / "table.csv")}
        add_project(made, {**attributes(), "project": "hospice", "source": csv})
        yield made


@pytest.fixture
def client(made: Separated) -> Client:
    settings = read_settings(made.environ)
    return Client(settings, find_projects((settings.projects,)), SocketKernel(made.kernel_socket))


def look(client: Client, project: str, *places: Path, with_source: bool) -> str:
    """What a program in the place of a worker finds at these places, after the value of the source's variable."""
    program = ["sh", "-c", LOOK, "look", URL, *map(str, places)]
    user = pwd.getpwnam(RUN_USER)
    process = launcher.begin(client, client.projects[project], ENVIRONMENT, user, program, with_source=with_source)
    said, failed = process.communicate(timeout=60)
    assert process.returncode == 0, failed
    return said.decode()


def test_a_table_beside_its_policy_is_in_view_of_raw_alone(made: Separated, client: Client) -> None:
    folder = made.projects / "clinic"
    assert look(client, "clinic", folder, with_source=True) == f"{folder}: defs.yaml\ntable.csv\n"
    assert look(client, "clinic", folder, with_source=False) == f"{folder}: defs.yaml\n"


def test_the_table_of_another_project_is_in_no_view(made: Separated, client: Client) -> None:
    for with_source in (True, False):
        assert look(client, "clinic", made.projects / "ward", with_source=with_source).endswith(": defs.yaml\n")


def test_a_database_is_named_and_reached_by_raw_alone(
    made: Separated, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made.root / "database"
    folder.mkdir(mode=0o755, exist_ok=True)
    (folder / "members.db").touch(mode=0o644)
    url = f"sqlite:///{folder}/members.db"
    monkeypatch.setenv(URL, url)
    assert look(client, "surgery", folder, with_source=True) == f"{url}\n{folder}: members.db\n"
    hidden = look(client, "surgery", folder, with_source=False)
    assert url not in hidden
    assert "members.db" not in hidden
    # Another project's database is nobody else's either.
    assert url not in look(client, "clinic", folder, with_source=True)


def test_a_table_inside_of_what_every_run_sees_is_covered_there(made: Separated, client: Client) -> None:
    folder = made.home / "incoming"
    assert look(client, "hospice", folder, with_source=True) == f"{folder}: table.csv\n"
    for project, with_source in (("hospice", False), ("clinic", True), ("clinic", False)):
        assert look(client, project, folder, with_source=with_source) == f"{folder}: \n"


def test_a_table_that_cannot_be_covered_starts_nothing(made: Separated, client: Client) -> None:
    kept = client.projects["hospice"].policy
    beside = kept.model_copy(update={"source": kept.source.model_copy(update={"path": str(made.home / "table.csv")})})
    client.projects = {"hospice": replace(client.projects["hospice"], policy=beside)}
    with pytest.raises(RunError, match=r"home holds a project's table.* a folder of its own"):
        look(client, "hospice", with_source=False)


@pytest.mark.parametrize("partitioned", [False, True])
def test_runs_that_train_have_another_worker_than_those_that_make_raw(client: Client, partitioned: bool) -> None:
    runs = plan(client.projects["ward" if partitioned else "clinic"], until=Stage.REGISTERED, partition=None)
    workers = [(key, len(list(part))) for key, part in groupby(runs, key=launcher._reads_source)]
    assert workers == [(True, 2 if partitioned else 1), (False, 1)]


def test_hostile_code_finds_the_table_while_raw_is_made_and_not_while_training(story: Story) -> None:
    assert story.masked["source"] == ["defs.yaml", "table.csv"]
    assert story.split["source"] == ["defs.yaml"]
