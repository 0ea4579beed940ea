"""Claim: importing the definitions costs at most 1.5 times `import dagster` alone.

Every code server, every step of a multiprocess run and every `dg` command pays this. Ours: `import
secure_ml.environments` in a fresh interpreter, which builds the definitions of the shipped project. Peer: `import
dagster`. Fresh processes, in turn; medians. The claim is held against processor time, which a busy machine disturbs
least.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass

from report import at_most, report

ROUNDS, GOAL = 7, 1.5
OURS, PEER = "import secure_ml.environments", "import dagster"


@dataclass(frozen=True)
class Cost:
    """What one process took, in seconds."""

    cpu: float
    wall: float


def cost(statement: str, environ: Mapping[str, str]) -> Cost:
    """The cost of a statement in a fresh interpreter, its start included.

    Raises:
        RuntimeError: the statement failed; what it said is on stderr.
    """
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", statement], env=dict(environ))
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{statement!r} failed")
    return Cost(usage.ru_utime + usage.ru_stime, wall)


def medians(costs: list[Cost]) -> Cost:
    """Each figure's median."""
    return Cost(statistics.median(c.cpu for c in costs), statistics.median(c.wall for c in costs))


def main(rounds: int = ROUNDS) -> int:
    """Measures and reports; returns 0 when the claim holds."""
    with tempfile.TemporaryDirectory() as home:
        # An installation of its own: projects drafted on this machine would count, too.
        environ = {**os.environ, "SECURE_ML_HOME": f"{home}/home", "SECURE_ML_KEYS": f"{home}/keys"}
        for statement in (OURS, PEER):
            cost(statement, environ)
        costs: dict[str, list[Cost]] = {OURS: [], PEER: []}
        for _ in range(rounds):
            for statement, measured in costs.items():
                measured.append(cost(statement, environ))
    ours, peer = medians(costs[OURS]), medians(costs[PEER])
    result = at_most(
        "importing the definitions costs at most 1.5 times `import dagster`",
        ours=ours.cpu,
        peer=peer.cpu,
        unit="CPU seconds",
        goal=GOAL,
        wall_ratio=round(ours.wall / peer.wall, 4),
    )
    rows = [[statement, f"{c.cpu:.2f}", f"{c.wall:.2f}"] for statement, c in ((OURS, ours), (PEER, peer))]
    rows.append(["ratio", f"{ours.cpu / peer.cpu:.2f}", f"{ours.wall / peer.wall:.2f}"])
    return report(result, header=[f"fresh process, median of {rounds}", "CPU s", "wall s"], rows=rows)


if __name__ == "__main__":
    sys.exit(main())
