"""Claim: redaction takes at most 3 % of the demonstration's time, and is never off.

`secure-ml demo` in a new installation, in a process whose redaction is timed: every call that a storage, a log record,
a printed line, a check or the registry makes into it, each counted once. Ours: their sum. Peer: the whole run. Both in
seconds of the processor, so that a busy machine flatters nobody; by the clock the share is smaller. The median of
several runs.
"""

import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from report import at_most, report

ROUNDS, GOAL = 3, 0.03

PARTS = {
    "what Dagster stores": {
        "secure_ml.orchestration.storage": ("safe_record", "safe_snapshot", "safe_tags", "safe_text")
    },
    "what steps print": {"secure_ml.guard.lines.LineRedactor": ("feed", "finish")},
    "log records": {"secure_ml.guard.process.SafeRecord": ("__init__", "getMessage")},
    "errors": {"secure_ml.guard.errors": ("describe", "trace")},
    "names and configurations": {
        "secure_ml.orchestration.storage": ("require_configuration", "require_name", "require_partition")
    },
    "all other texts": {"secure_ml.guard.redaction.Redactor": ("redact", "redact_value")},
}
"""Where redaction is entered: modules and classes with the names that are called there."""


class Stopwatch:
    """Seconds of the processor and calls, by part; a call within a call belongs to the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._inside = threading.local()

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose outermost calls are counted."""

        @functools.wraps(function)
        def counted(*args: Any, **named: Any) -> Any:
            if getattr(self._inside, "redaction", False):
                return function(*args, **named)
            self._inside.redaction = True
            started = time.thread_time()
            try:
                return function(*args, **named)
            finally:
                self.seconds[part] += time.thread_time() - started
                self.calls[part] += 1
                self._inside.redaction = False

        return counted

    def attach(self) -> None:
        """Times every entry of `PARTS` in this process."""
        for part, places in PARTS.items():
            for place, names in places.items():
                owner = _found(place)
                for name in names:
                    setattr(owner, name, self.timed(part, getattr(owner, name)))


def _found(place: str) -> Any:
    """The module or the class of that name."""
    import importlib

    try:
        return importlib.import_module(place)
    except ModuleNotFoundError:
        module, _, name = place.rpartition(".")
        return getattr(importlib.import_module(module), name)


def run(command: list[str]) -> dict[str, Any]:
    """Runs a command of `secure-ml` in this process, timed.

    Raises:
        RuntimeError: the command failed; what it said is on stderr.
    """
    from secure_ml.cli.main import main as program

    stopwatch = Stopwatch()
    stopwatch.attach()
    sys.argv = ["secure-ml", *command]
    try:
        program()
    except SystemExit as ended:
        if ended.code:
            raise RuntimeError(f"secure-ml {' '.join(command)} ended with {ended.code}") from None
    return {
        "seconds": time.process_time(),
        "redaction": dict(stopwatch.seconds),
        "calls": dict(stopwatch.calls),
    }


def measure(command: list[str]) -> dict[str, Any]:
    """One run in a process and an installation of its own."""
    with tempfile.TemporaryDirectory() as made:
        told = Path(made, "told.json")
        places = {"SECURE_ML_HOME": f"{made}/home", "SECURE_ML_KEYS": f"{made}/keys"}
        subprocess.run(
            [sys.executable, __file__, "run", str(told), *command],
            env={**os.environ, **places},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        measured: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
        return measured


def main(rounds: int = ROUNDS) -> int:
    """Measures and reports; returns 0 when the claim holds."""
    runs = [measure(["demo", "--json"]) for _ in range(rounds)]
    spent = [sum(measured["redaction"].values()) for measured in runs]
    result = at_most(
        f"redaction takes at most {GOAL:.0%} of the demonstration's time",
        ours=statistics.median(spent),
        peer=statistics.median(measured["seconds"] for measured in runs),
        unit="CPU seconds",
        goal=GOAL,
        calls=sum(runs[0]["calls"].values()),
        largest_share=round(max(s / m["seconds"] for s, m in zip(spent, runs, strict=True)), 4),
    )
    table = [
        [
            part,
            f"{runs[0]['calls'].get(part, 0):,}",
            f"{statistics.median(m['redaction'].get(part, 0) for m in runs):.3f}",
        ]
        for part in PARTS
    ]
    return report(result, header=["secure-ml demo", "calls", "CPU seconds"], rows=table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        Path(sys.argv[2]).write_text(json.dumps(run(sys.argv[3:])), encoding="utf-8")
    else:
        sys.exit(main())
