"""The worker: executes a project's runs for a launcher, each in a process of its own that knows no other run's ticket.

Belongs here: the worker's loop, and the words it exchanges with its launcher. Must stay out: users, namespaces and
tickets (the launcher sees to them before the worker starts).

It says when it is prepared. Then a line of JSON comes in for each run, and one goes out when it has ended. It imports
and builds once what its runs need, and forks for each: what a run does to its process, the next does not see. In its
namespace there is nothing but itself and its runs, so that it ends whatever a run has left behind.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from io import RawIOBase
from pathlib import Path
from typing import Any

from secure_ml.access.stages import Stage
from secure_ml.cli.confinement import keep_memory_private
from secure_ml.cli.screen import harmless, quiet_libraries
from secure_ml.guard.process import protect_process
from secure_ml.guard.redaction import standard_redactor
from secure_ml.guard.telemetry import silence
from secure_ml.orchestration.runs import Outcome, Planned, RunError

LONGEST_LINE = 2**22
"""Bytes of what a worker says of one run; more than this is no outcome."""

PREPARED = "prepared\n"
"""What a worker says first, once it waits to be asked."""

_INTERRUPT_SECONDS = 10
_REAPING_SECONDS = 0.005
_Execute = Callable[[Planned, str, str], Outcome]


class NotAlone(Exception):
    """The worker was not started by a launcher: it ends every process that it can see."""


def ask(planned: Planned, *, run_id: str, ticket: str) -> str:
    """The line that asks for a run."""
    return json.dumps({**asdict(planned), "run_id": run_id, "ticket": ticket}) + "\n"


def read_outcome(line: str, planned: Planned, *, run_id: str) -> Outcome:
    """What a line tells of a run that was asked for. The run's own process wrote it: it is shown, never relied on.

    Raises:
        RunError: the line tells of none.
    """
    try:
        told = json.loads(line)
        checks = tuple((_shown(check), _shown(words), bool(blocking)) for check, words, blocking in told["checks"])
        return Outcome(planned, run_id, told["success"] is True, tuple(map(_shown, told["failures"])), checks)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RunError("the worker did not tell what its run came to; `secure-ml status` shows what stands") from None


def _shown(words: object) -> str:
    return harmless(standard_redactor().redact(str(words)))


def main() -> None:
    """Executes what the launcher asks for, until it closes the line.

    Raises:
        NotAlone: this is not the first process in a namespace of its own.
    """
    if (os.getppid(), os.getpid()) != (1, 2):
        raise NotAlone("runs are started with `secure-ml run`")
    project, environment, job = sys.argv[1:]
    silence(os.environ)
    protect_process()
    quiet_libraries()
    keep_memory_private()
    # What a run prints must not look like an answer: the answers get a descriptor of their own.
    answers = os.dup(1)
    os.dup2(2, 1)
    with _prepared(project, environment, job) as execute, os.fdopen(0, "rb", buffering=0, closefd=False) as asked:
        os.write(answers, PREPARED.encode())
        while line := asked.readline():
            os.write(answers, _in_a_child(json.loads(line), execute, answers))
    sys.stdout.flush()
    sys.stderr.flush()
    # Its launcher waits; to take apart what was imported would keep it a second longer, and leave nothing different.
    os._exit(0)


@contextmanager
def _prepared(project: str, environment: str, job: str) -> Iterator[_Execute]:
    """Imports, builds and opens what the runs have in common, before there is any ticket; gives what executes one."""
    from secure_ml.definitions import build, open_installation
    from secure_ml.orchestration.instance import dagster_instance
    from secure_ml.orchestration.project import job_names
    from secure_ml.orchestration.runs import execute_one

    _, train = job_names(project)
    client = open_installation()
    seen = client.projects[project].seen_in(environment)
    definitions = build(environment, open_client=lambda: client)
    definitions.resolve_job_def(job)
    with dagster_instance(client.settings) as instance:
        # Libraries are told where their caches lie first.
        _import_what_training_needs() if job == train else _import_what_partitions_need()

        def execute(planned: Planned, run_id: str, ticket: str) -> Outcome:
            return execute_one(definitions, instance, seen, environment, planned, run_id=run_id, ticket=ticket)

        yield execute


def _import_what_partitions_need() -> None:
    """What a partition's run imports where it first uses it; there is such a run for each partition."""
    import presidio_anonymizer
    import pyarrow.parquet.encryption

    import secure_ml.protection.mask.masking
    from secure_ml.protection.classify.classifier import Classifier

    Classifier()
    del presidio_anonymizer, pyarrow, secure_ml


def _import_what_training_needs() -> None:
    """The same for the run that trains: its worker has been waiting for a while by the time that it is asked for."""
    import dp_accounting
    import matplotlib.backends.backend_agg
    import mlflow.store.tracking.sqlalchemy_store
    import opendp.prelude
    import pyarrow.parquet.encryption
    import skops.io

    del dp_accounting, matplotlib, mlflow, opendp, pyarrow, skops


def _in_a_child(asked: dict[str, Any], execute: _Execute, answers: int) -> bytes:
    """What the run came to, as a line, whatever becomes of its process; nothing that it started lives on."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.close(answers)
            with open(os.devnull, "rb") as nothing:
                os.dup2(nothing.fileno(), 0)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            with os.fdopen(writing, "wb") as answer:
                answer.write(_told(asked, execute))
        finally:
            # The child must not go on with its parent's loop, nor flush what its parent buffered.
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as answer:
        told = _heard(answer, child)
    ended = _end_all()[child]
    if told.endswith(b"\n"):
        return told
    return _failure(
        f"the run's process ended ({os.waitstatus_to_exitcode(ended)}) before it could tell what it came to"
    )


def _heard(answer: RawIOBase, child: int) -> bytes:
    """What a child says up to the end of its line or its own; it is interrupted once the launcher has closed the line.

    What it left running may hold the pipe open: its end is not waited for.
    """
    told, ending, deadline = b"", os.pidfd_open(child), None
    try:
        watched = select.poll()
        for descriptor, event in ((answer.fileno(), select.POLLIN), (ending, select.POLLIN), (0, 0)):
            watched.register(descriptor, event)
        while not told.endswith(b"\n") and len(told) < LONGEST_LINE:
            left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
            ready = dict(watched.poll(left))
            if answer.fileno() in ready:
                block = answer.read(LONGEST_LINE - len(told))
                if not block:
                    break
                told += block
            elif ending in ready or not ready:
                break
            elif deadline is None:
                deadline = time.monotonic() + _INTERRUPT_SECONDS
                watched.unregister(0)
                os.kill(child, signal.SIGINT)
    finally:
        os.close(ending)
    return told


def _end_all() -> dict[int, int]:
    """Ends every other process of this namespace, and gives how each child of this one ended."""
    ended = {}
    with suppress(ProcessLookupError):
        while True:
            # No process can fork with a signal pending (fork(2)): none gets away. Orphans are the namespace's to reap.
            os.kill(-1, signal.SIGKILL)
            with suppress(ChildProcessError):
                while True:
                    process, status = os.wait()
                    ended[process] = status
            time.sleep(_REAPING_SECONDS)
    return ended


def _told(asked: dict[str, Any], execute: _Execute) -> bytes:
    from secure_ml.guard.errors import describe

    planned = Planned(str(asked["job"]), tuple(Stage(stage) for stage in asked["stages"]), str(asked["partition"]))
    try:
        outcome = execute(planned, str(asked["run_id"]), str(asked["ticket"]))
    except BaseException as error:  # noqa: BLE001 - the boundary of the process: told to the launcher, never swallowed
        return _failure(describe(error))
    return _line(success=outcome.success, failures=outcome.failures, checks=outcome.failed_checks)


def _failure(words: str) -> bytes:
    return _line(success=False, failures=(words,), checks=())


def _line(*, success: bool, failures: Sequence[str], checks: Sequence[tuple[str, str, bool]]) -> bytes:
    return json.dumps({"success": success, "failures": failures, "checks": checks}).encode() + b"\n"


def command(project: str, environment: str, job: str) -> list[str]:
    """The command that starts a worker for the runs of a job, with this interpreter and this package."""
    program = "from secure_ml.cli.worker import main; main()"
    return [str(Path(sys.executable)), "-I", "-c", program, project, environment, job]
