"""The worker: executes runs for a launcher, each in a process of its own that knows no other run's ticket.

Belongs here: the worker's loop, and the words it exchanges with its launcher. Must stay out: users, namespaces and
tickets (the launcher sees to them before the worker starts).

A line of JSON comes in for each run, and one goes out when it has ended. The worker imports once what runs need, loads
no project, and forks for each run: what a project's code does in one run, the next does not see.
"""

import ctypes
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from secure_ml.access.stages import Stage
from secure_ml.cli.screen import quiet_libraries
from secure_ml.guard.telemetry import silence
from secure_ml.orchestration.runs import Outcome, Planned

_PR_SET_DUMPABLE = 4
"""prctl(2): a process without it can be neither traced nor read by another of the same user."""


def ask(planned: Planned, *, project: str, environment: str, run_id: str, ticket: str) -> str:
    """The line that asks for a run."""
    wanted = {**asdict(planned), "project": project, "environment": environment, "run_id": run_id, "ticket": ticket}
    return json.dumps(wanted) + "\n"


def read_outcome(line: str) -> Outcome:
    """The outcome that a line tells of.

    Raises:
        ValueError, KeyError, TypeError: the line is none.
    """
    told = json.loads(line)
    failed = tuple((str(check), str(words), bool(blocking)) for check, words, blocking in told["failed_checks"])
    planned = _planned(told["planned"])
    return Outcome(planned, str(told["run_id"]), bool(told["success"]), tuple(map(str, told["failures"])), failed)


def main() -> None:
    """Executes what the launcher asks for, until it closes the line."""
    silence(os.environ)
    quiet_libraries()
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    # What a run prints must not look like an answer: the answers get a descriptor of their own.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        _import_what_runs_need()
        while asked := sys.stdin.readline():
            answers.write(_in_a_child(json.loads(asked)) + "\n")
            answers.flush()


def _import_what_runs_need() -> None:
    import mlflow
    import pyarrow.parquet.encryption

    import secure_ml.installation
    import secure_ml.orchestration.project

    del mlflow, pyarrow, secure_ml


def _in_a_child(asked: dict[str, Any]) -> str:
    """The run's outcome as JSON, whatever becomes of its process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            with os.fdopen(writing, "w", encoding="utf-8") as answer:
                _execute(asked, answer)
        finally:
            # The child must not go on with its parent's loop, nor flush what its parent buffered.
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answer:
        told = answer.read()
    _, status = os.waitpid(child, 0)
    if told.endswith("\n"):
        return told.strip()
    ended = os.waitstatus_to_exitcode(status)
    return _failed(asked, f"the run's process ended ({ended}) before it could tell what it came to")


def _execute(asked: dict[str, Any], answer: TextIO) -> None:
    from secure_ml.definitions import build, open_installation
    from secure_ml.guard.errors import describe
    from secure_ml.orchestration.instance import dagster_instance
    from secure_ml.orchestration.runs import execute_one

    os.close(0)
    planned, environment = _planned(asked), str(asked["environment"])
    try:
        client = open_installation()
        project = client.projects[str(asked["project"])].seen_in(environment)
        with dagster_instance(client.settings) as instance:
            outcome = execute_one(
                build(environment),
                instance,
                project,
                environment,
                planned,
                run_id=str(asked["run_id"]),
                ticket=str(asked["ticket"]),
            )
        told = json.dumps(asdict(outcome))
    except Exception as error:  # noqa: BLE001 - the boundary of the process: told to the launcher, never swallowed
        told = _failed(asked, describe(error))
    answer.write(told + "\n")


def _failed(asked: dict[str, Any], words: str) -> str:
    return json.dumps(asdict(Outcome(_planned(asked), str(asked["run_id"]), False, (words,), ())))


def _planned(told: dict[str, Any]) -> Planned:
    return Planned(str(told["job"]), tuple(Stage(stage) for stage in told["stages"]), str(told["partition"]))


def command() -> list[str]:
    """The command that starts a worker, with this interpreter and this package."""
    return [str(Path(sys.executable)), "-I", "-c", "from secure_ml.cli.worker import main; main()"]
