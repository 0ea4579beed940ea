"""Claim: with sixteen threads at once, an entry of the log takes at most half of what it takes with one.

Each entry is durable before its writer goes on, and a commit waits for the disk; entries that wait at the same time
share a commit. Ours: time an entry, with sixteen threads that record one after the other each. Peer: the same number of
entries by one thread, which is what they would take without sharing. In turn, on one log; medians.
"""

import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from report import at_most, report

if TYPE_CHECKING:
    from secure_ml.audit.log import AuditLog

THREADS, ENTRIES, ROUNDS, GOAL = 16, 320, 5, 0.5


def new_log(folder: Path) -> "AuditLog":
    """An empty log in a folder, signed by a key of its own."""
    from secure_ml.audit.log import AuditLog
    from secure_ml.keys.signing import SigningKey
    from secure_ml.state.database import State

    return AuditLog(
        State.open(f"sqlite:///{folder / 'state.db'}"),
        SigningKey.from_seed(os.urandom(32), name="benchmark"),
        origin="benchmark/audit-log",
        commitment_secret=os.urandom(32),
        clock=lambda: datetime.now(UTC),
    )


def seconds_an_entry(log: "AuditLog", *, threads: int, entries: int) -> float:
    """What an entry takes when so many threads share the work.

    Raises:
        RuntimeError: the log does not have them all.
    """
    from secure_ml.audit.log import AuditEvent

    details = {"by": "masked", "kind": "read", "columns": ["income", "region", "approved"]}
    event = AuditEvent("version.read", "training/loans/raw[2024-01]", "allowed", "os-user:me", "run", details, "reads")
    before = log.size()
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        indices = list(pool.map(lambda _: log.record(event), range(entries)))
    took = time.perf_counter() - start
    if sorted(indices) != list(range(before, before + entries)):
        raise RuntimeError("the log does not have each entry once")
    return took / entries


def main(entries: int = ENTRIES, rounds: int = ROUNDS) -> int:
    """Measures and reports; returns 0 when the claim holds."""
    with tempfile.TemporaryDirectory() as made:
        log = new_log(Path(made))
        measured: dict[int, list[float]] = {1: [], THREADS: []}
        for _ in range(rounds):
            for threads, seconds in measured.items():
                seconds.append(seconds_an_entry(log, threads=threads, entries=entries))
        log.verify()
    alone, together = (1_000 * statistics.median(seconds) for seconds in measured.values())
    result = at_most(
        f"an entry of the log takes with {THREADS} threads at once at most half of what it takes with one",
        ours=together,
        peer=alone,
        unit="milliseconds an entry",
        goal=GOAL,
    )
    rows = [[f"{THREADS} threads", f"{together:.2f}"], ["1 thread", f"{alone:.2f}"], ["ratio", f"{result.ratio:.2f}"]]
    return report(result, header=[f"{entries} entries, median of {rounds}", "ms an entry"], rows=rows)


if __name__ == "__main__":
    sys.exit(main())
