"""A kernel behind its socket that is killed at each of its commits, while a client in another process writes a version.

The client gets an error that says so; whoever starts the kernel anew loses nothing that was acknowledged.
"""

import multiprocessing
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from sqlalchemy.engine.default import DefaultDialect

from secure_ml.access.stages import Stage
from secure_ml.vault.inspection import verify_heads
from secure_ml.vault.wire.client import KernelUnavailable, SocketKernel
from secure_ml.vault.wire.server import MessageServer
from secure_ml_tests.fakes.masked_table import masked_table
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, SmallProject, open_small_project
from secure_ml_tests.faults import work
from secure_ml_tests.faults.injection import PRELOADED
from secure_ml_tests.faults.test_postgresql_commits import kill_after, kill_before, struck_commits

pytestmark = pytest.mark.journey

_MOST_COMMITS = 60
STRIKES = {"before": kill_before, "after": kill_after}


def _serve(root: Path, path: Path, ready: object, strike: str, nth: int) -> None:
    core = open_small_project(root).installation.core
    server = MessageServer(path, core.requests, core.answer, core.disconnected)
    DefaultDialect.do_commit = struck_commits(STRIKES[strike], nth)
    ready.set()
    server.serve_forever(poll_interval=0.02)


@contextmanager
def served(root: Path, strike: str, nth: int) -> Iterator[tuple[SocketKernel, BaseProcess]]:
    """The kernel's process, and what speaks to it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    # A socket's path must stay below the system's bound.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path, ready = Path(folder) / "kernel.sock", context.Event()
        process = context.Process(target=_serve, args=(root, path, ready, strike, nth))
        process.start()
        try:
            assert ready.wait(60)
            yield SocketKernel(path), process
        finally:
            process.kill()
            process.join(60)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    work.prepare(root)
    return root


def require_whole(project: SmallProject) -> int:
    """The rows of the head of masked, once log, heads and files have verified."""
    project.installation.log.verify()
    heads = project.installation.versions.heads(environment=ENVIRONMENT, project=PROJECT)
    verify_heads(heads, project.installation.settings.vault, on_file=lambda: None)
    manifest, masked = project.door("afterwards").assess(Stage.MASKED, "")
    assert masked.read().num_rows == manifest.rows
    return manifest.rows


@pytest.mark.parametrize("strike", STRIKES)
def test_whatever_commit_kills_the_kernel_its_client_is_told_and_writes_again(
    prepared: Path, tmp_path: Path, strike: str
) -> None:
    rows: list[int] = []
    for nth in range(1, _MOST_COMMITS):
        root = tmp_path / str(nth)
        shutil.copytree(prepared, root)
        with served(root, strike, nth) as (kernel, process):
            client = open_small_project(root).through(lambda _, kernel=kernel: kernel)
            try:
                client.write(Stage.MASKED, masked_table(50))
                struck = False
            except KernelUnavailable:
                struck = True
                process.join(60)
                assert process.exitcode == -signal.SIGKILL
        project = open_small_project(root)
        rows.append(require_whole(project))
        assert struck or rows[-1] == 50
        project.write(Stage.MASKED, masked_table(45))
        assert require_whole(project) == 45
        shutil.rmtree(root)
        if not struck:
            # Where the commit of the head was struck before it the old one is read, and after it the new one.
            assert rows == sorted(rows)
            assert (rows[-2] == 50) == (strike == "after")
            return
    pytest.fail("too many commits")
