"""The state on a PostgreSQL server: each commit kills its process, or loses its connection, before it and after it.

Whatever was acknowledged stands, whatever was not is there whole or not at all, and a kernel that lives on reconnects.
"""

import itertools
import multiprocessing
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine.default import DefaultDialect

from secure_ml.installation import Installation
from secure_ml.policy.projects import find_projects
from secure_ml.settings import read_settings
from secure_ml.state.errors import StateError
from secure_ml.vault.inspection import verify_heads
from secure_ml_tests.fakes.postgres_server import PostgresServer, postgres_server
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, SmallProject
from secure_ml_tests.faults import work
from secure_ml_tests.faults.injection import Ended, Work
from secure_ml_tests.faults.test_every_call import OPERATIONS

pytestmark = pytest.mark.journey

_MOST_COMMITS = 40
_DATABASE = "/records?"


@dataclass(frozen=True)
class Copies:
    """A prepared project whose state and keys are in a database, and copies of both."""

    server: PostgresServer
    prepared: Path

    def execute(self, statement: str) -> None:
        url = self.server.url.replace("postgresql://", "postgresql+psycopg2://").replace(_DATABASE, "/postgres?")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def url_of(self, name: str) -> str:
        return self.server.url.replace(_DATABASE, f"/{name}?")

    def copy(self, root: Path, name: str) -> str:
        """Copies the folder to `root` and the database to `name`; the copy's URL."""
        shutil.copytree(self.prepared, root)
        self.execute(f"drop database if exists {name} with (force)")
        self.execute(f"create database {name} template records")
        return self.url_of(name)


def open_on(root: Path, url: str) -> SmallProject:
    """The project below `root` with state and keys in a database."""
    places = {"SECURE_ML_HOME": str(root / "home"), "SECURE_ML_KEYS": str(root / "keys")}
    settings = read_settings({**places, "SECURE_ML_STATE_URL": url, "SECURE_ML_KEY_STORE_URL": url})
    installation = Installation(settings, find_projects((root / "defs",)))
    return SmallProject(root, installation, installation.kernel)


def struck_commits(strike: Callable[[Callable[[], None], Any], None], nth: int) -> Callable[..., None]:
    """In place of SQLAlchemy's commit: the n-th of a transaction that writes goes through `strike`."""
    original, counted = DefaultDialect.do_commit, itertools.count(1)

    def do_commit(dialect: DefaultDialect, connection: Any) -> None:
        # PostgreSQL's driver says whether it may write, SQLite's how many rows it has written.
        writes = connection.total_changes if hasattr(connection, "total_changes") else not connection.readonly
        if not writes or next(counted) != nth:
            original(dialect, connection)
        else:
            strike(lambda: original(dialect, connection), connection)

    return do_commit


def kill_before(commit: Callable[[], None], connection: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_after(commit: Callable[[], None], connection: Any) -> None:
    commit()
    os.kill(os.getpid(), signal.SIGKILL)


def cut(connection: Any) -> None:
    """The server ends the connection, as on its restart."""
    other = psycopg2.connect(connection.dsn)
    other.autocommit = True
    other.cursor().execute("select pg_terminate_backend(%s, 5000)", (connection.get_backend_pid(),))
    other.close()


def cut_before(commit: Callable[[], None], connection: Any) -> None:
    cut(connection)
    commit()


def cut_after(commit: Callable[[], None], connection: Any) -> None:
    """It was committed, but the answer was lost."""
    commit()
    cut(connection)
    connection.cursor().execute("select 1")


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    root = tmp_path_factory.mktemp("prepared") / "project"
    with postgres_server() as server, pytest.MonkeyPatch.context() as patched:
        work.make_small_project(root)
        shutil.rmtree(root / "home")
        shutil.rmtree(root / "keys")
        project = open_on(root, server.url)
        patched.setattr(work, "make_small_project", lambda folder: project)
        patched.setattr(work, "open_small_project", lambda folder: project)
        work.prepare(root)
        project.installation.state.close()
        copied = Copies(server, root)
        # A template has no connections.
        copied.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'records'")
        yield copied


def require_whole(project: SmallProject) -> None:
    project.installation.log.verify()
    heads = project.installation.versions.heads(environment=ENVIRONMENT, project=PROJECT)
    verify_heads(heads, project.installation.settings.vault, on_file=lambda: None)


def _in_process(do: Work, root: Path, url: str, strike: str, nth: int, answer: socket.socket) -> None:
    work.open_small_project = lambda folder: open_on(folder, url)
    DefaultDialect.do_commit = struck_commits({"before": kill_before, "after": kill_after}[strike], nth)
    do(root, lambda words: answer.sendall(words.encode() + b"\n"))


def killed(do: Work, root: Path, url: str, strike: str, nth: int) -> Ended:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "pandas", "alembic.command", "psycopg2"])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = context.Process(target=_in_process, args=(do, root, url, strike, nth, theirs))
        process.start()
        theirs.close()
        said = b""
        while block := ours.recv(4096):
            said += block
        process.join(60)
    assert process.exitcode in {0, -signal.SIGKILL}
    return Ended(process.exitcode != 0, tuple(said.decode().split("\n")[:-1]), process.exitcode or 0)


@pytest.mark.parametrize("strike", ["before", "after"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_commit_kills_nothing_acknowledged_is_lost(
    copies: Copies, tmp_path: Path, name: str, strike: str
) -> None:
    operation = OPERATIONS[name]
    for nth in range(1, _MOST_COMMITS):
        root = tmp_path / str(nth)
        url = copies.copy(root, "struck")
        ended = killed(operation.do, root, url, strike, nth)
        project = open_on(root, url)
        require_whole(project)
        operation.holds(project, ended)
        project.installation.state.close()
        if not ended.struck:
            assert nth > 1
            return
    pytest.fail("too many commits")


def error_of(act: Callable[[], None]) -> Exception | None:
    try:
        act()
    except Exception as error:  # noqa: BLE001 - judged by the test
        return error
    return None


@pytest.mark.parametrize("strike", [cut_before, cut_after])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_lost_connection_is_told_and_the_kernel_that_lives_on_reconnects(
    copies: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, strike: Callable[..., None]
) -> None:
    for nth in range(1, _MOST_COMMITS):
        root = tmp_path / str(nth)
        project = open_on(root, copies.copy(root, "struck"))
        said: list[str] = []
        with monkeypatch.context() as patched:
            patched.setattr(work, "open_small_project", lambda folder, project=project: project)
            with patched.context() as struck:
                struck.setattr(DefaultDialect, "do_commit", struck_commits(strike, nth))
                error = error_of(lambda root=root, said=said: OPERATIONS[name].do(root, said.append))
            reached = error is not None
            assert error is None or type(error).__module__.startswith("secure_ml."), error
            assert reached == (not said)
            require_whole(project)
            OPERATIONS[name].holds(project, Ended(reached, tuple(said), 0))
            OPERATIONS[name].do(root, said.append)
        assert len(said) == 1 + (not reached)
        require_whole(project)
        project.installation.state.close()
        if not reached:
            assert nth > 1
            return
    pytest.fail("too many commits")


def test_the_lost_connection_is_a_state_error(copies: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = open_on(tmp_path / "one", copies.copy(tmp_path / "one", "struck"))
    monkeypatch.setattr(DefaultDialect, "do_commit", struck_commits(cut_before, 1))
    with pytest.raises(StateError, match=r"unreachable|refused"):
        project.door()
    project.door()
