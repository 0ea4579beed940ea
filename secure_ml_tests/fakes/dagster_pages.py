"""The real webserver and daemon of an installation, as `secure-ml ui` starts them, and their GraphQL interface."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

BIN = Path(sys.executable).parent
"""Where the programs of this interpreter's environment lie."""

_RUNS = """
query Runs {
  runsOrError {
    ... on Runs { results { runId status jobName parentRunId tags { key value } } }
  }
}
"""
_LOCATIONS = """
query Locations {
  workspaceOrError {
    ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename } } }
  }
}
"""
_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


@dataclass(frozen=True)
class Run:
    """A run as the webserver tells it."""

    run_id: str
    status: str
    job: str
    parent: str | None
    partition: str | None


@dataclass(frozen=True)
class DagsterPages:
    """A webserver that answers."""

    url: str

    def ask(self, query: str, **variables: object) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]

    def runs(self) -> list[Run]:
        """All runs, the newest first."""
        return [
            Run(
                run["runId"],
                run["status"],
                run["jobName"],
                run["parentRunId"],
                next((tag["value"] for tag in run["tags"] if tag["key"] == "dagster/partition"), None),
            )
            for run in self.ask(_RUNS)["runsOrError"]["results"]
        ]

    def ended_runs(self, number: int) -> list[Run]:
        """Waits until there are that many runs and all have ended; the newest first."""

        def ended() -> list[Run] | None:
            runs = self.runs()
            return runs if len(runs) >= number and all(run.status in _ENDED for run in runs) else None

        try:
            runs = until(ended, seconds=300)
        except TimeoutError:
            raise AssertionError([(run.job, run.partition, run.status) for run in self.runs()]) from None
        assert len(runs) == number, [(run.job, run.partition, run.status) for run in runs]
        return runs


def until(condition: Callable[[], T | None], *, seconds: float) -> T:
    """Asks again every half second until there is an answer."""
    end = time.monotonic() + seconds
    while (answer := condition()) is None:
        if time.monotonic() > end:
            raise TimeoutError(f"nothing came of it in {seconds} s")
        time.sleep(0.5)
    return answer


@contextmanager
def serving(command: list[str], environ: Mapping[str, str], *, cwd: Path, log: Path) -> Iterator[DagsterPages]:
    """Starts a command that serves Dagster's pages on `{port}`; gives them once the code location is loaded."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(BIN / command[0]), *(part.format(port=port) for part in command[1:])],
            env=environ,
            cwd=cwd,
            stdout=output,
            stderr=output,
        )
        pages = DagsterPages(f"http://127.0.0.1:{port}")
        try:
            until(lambda: _loaded(pages, process, log), seconds=240)
            yield pages
        finally:
            process.terminate()
            process.wait(timeout=60)


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without an installation of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SECURE_ML_", "DAGSTER_"))}
    return kept | variables


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _loaded(pages: DagsterPages, process: "subprocess.Popen[bytes]", log: Path) -> bool | None:
    if process.poll() is not None:
        raise RuntimeError(f"it ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
    try:
        entries = pages.ask(_LOCATIONS)["workspaceOrError"]["locationEntries"]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None
    loaded = [entry for entry in entries if entry["loadStatus"] == "LOADED"]
    if len(loaded) != len(entries) or not entries:
        return None
    assert all(entry["locationOrLoadError"]["__typename"] == "RepositoryLocation" for entry in entries)
    return True
