"""The n-th system call of a kind fails, or kills the process that makes it: strace's fault injection (strace(1)).

It reaches what no double in Python does: the database's own writes, and pyarrow's.
"""

import multiprocessing
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from secure_ml_tests.fakes.needed import need

WRITE = ("write", "pwrite64", "writev", "pwritev")
SYNC = ("fsync", "fdatasync")
RENAME = ("rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat")
KINDS = {"write": (WRITE, "ENOSPC"), "sync": (SYNC, "EIO"), "rename": (RENAME, "EIO")}

# An import is a thousand calls for strace to look at: what the work imports late is imported once.
PRELOADED = [
    "secure_ml_tests.faults.rights",
    "secure_ml_tests.faults.work",
    "alembic.autogenerate",
    "alembic.command",
    "alembic.config",
    "pandas",
    "pyarrow.parquet.encryption",
    "secure_ml.keys.local_file",
    "sqlalchemy.dialects.sqlite",
]
_PATIENCE_SECONDS = 60
_MOST_CALLS = 400

# A commit is a sync, a rename or an unlink; between two of them a killed process leaves what a failed write leaves.
WAYS = {
    "write-fails": ("write", False),
    "sync-fails": ("sync", False),
    "rename-fails": ("rename", False),
    "sync-kills": ("sync", True),
    "rename-kills": ("rename", True),
}
"""Kind of call, and whether it kills the process that makes it."""

Work = Callable[[Path, Callable[[str], None]], None]
"""Does something below a folder, and says each thing that was acknowledged to it."""


@dataclass(frozen=True)
class Ended:
    """What became of a process under injection.

    Attributes:
        struck: whether the n-th call was reached.
        said: what it said before it ended; its last word names its error's class, if there was one.
        code: its exit code; negative for a signal.
    """

    struck: bool
    said: tuple[str, ...]
    code: int


def require_strace() -> None:
    """Ends the test where it is not installed."""
    need(shutil.which("strace"), "needs strace: apt-get install strace")


def each_call(work: Work, prepared: Path, folder: Path, *, kind: str, kill: bool) -> Iterator[tuple[Path, Ended]]:
    """Does the work with its first call of this kind struck, with its second, and so on until none is.

    Args:
        work: what is done.
        prepared: what stands before; each time a copy of it.
        folder: an empty one.
        kind: see `KINDS`.
        kill: whether the call kills the process, or fails.

    Yields:
        The copy as it was left, and how the process ended: by an error of the product's own, if by one.
    """
    for nth in range(1, _MOST_CALLS):
        root = folder / str(nth)
        shutil.copytree(prepared, root)
        ended = struck(work, root, kind=kind, nth=nth, kill=kill)
        told = f"{work.__name__}: {kind} {nth}: {ended}"
        errors = [words.removeprefix("error ") for words in ended.said if words.startswith("error ")]
        assert all(error.startswith("secure_ml.") for error in errors), told
        assert ended.code == (-9 if kill and ended.struck else 0), told
        yield root, ended
        shutil.rmtree(root)
        if not ended.struck:
            assert nth > 1, f"{work.__name__} makes no call of the kind {kind}"
            assert not errors
            return
    pytest.fail(f"{work.__name__} makes more than {_MOST_CALLS} calls of the kind {kind}")


def struck(work: Work, root: Path, *, kind: str, nth: int, kill: bool) -> Ended:
    """Does the work in a process of its own, whose n-th system call of this kind fails or kills it."""
    calls, error = KINDS[kind]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    ours, theirs = socket.socketpair()
    trace = root / "strace.out"
    with ours, theirs:
        process = context.Process(target=_work, args=(work, root, theirs))
        process.start()
        theirs.close()
        assert ours.recv(1) == b"!"
        inject = f"inject={','.join(calls)}:{'signal=KILL' if kill else f'error={error}'}:when={nth}"
        tracing = subprocess.Popen(
            ["strace", "-f", "-p", str(process.pid), "-e", f"trace={','.join(calls)}", "-e", inject, "-o", str(trace)],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert tracing.stderr is not None
        assert "attached" in tracing.stderr.readline()
        ours.sendall(b"!")
        said = b""
        while block := ours.recv(4096):
            said += block
        process.join(_PATIENCE_SECONDS)
        tracing.communicate(timeout=_PATIENCE_SECONDS)
    hit = "INJECTED" in trace.read_text(errors="replace") or process.exitcode == -9
    trace.unlink()
    return Ended(hit, tuple(said.decode().split("\n")[:-1]), process.exitcode or 0)


def _work(work: Work, root: Path, answer: socket.socket) -> None:
    # A socket's sends are none of the calls that fail.
    answer.sendall(b"!")
    assert answer.recv(1) == b"!"

    def say(words: str) -> None:
        answer.sendall(words.encode() + b"\n")

    try:
        work(root, say)
    except Exception as error:  # noqa: BLE001 - told to the test, which judges it
        kind = type(error)
        say(f"error {kind.__module__}.{kind.__qualname__}")
