"""Claim: the classes of a table are counted in at most 0.6 times the memory that pandas takes for the same figures.

A made table of four quasi-identifiers, a subject with two rows and a sensitive column comes in batches of 10,000 rows.
Ours: peak memory of `ClassCounter` and the measures, above what was resident before the first batch. Peer: the same for
the usual way, one pandas data frame and `groupby`: subjects of each class, and values of the sensitive column. Each in
a fresh process, which says k, classes and the smallest l: they must be equal. The table also shows the seconds: there
are more of them here, since a hash of each distinct cell of a batch is the price of not holding the table.

One way alone, on more rows: `python benchmarks/anonymity.py ours 10000000`.
"""

import importlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from report import at_most, report

ROWS, BATCH, GOAL = 2_000_000, 10_000, 0.6
QUASI, SENSITIVE, SUBJECT = ("region", "born", "gender", "trade"), "illness", "person"


def batches(rows: int) -> Iterator[object]:
    """The made table: a few hundred thousand classes, most of them small."""
    import numpy as np
    import pyarrow as pa

    draw = np.random.default_rng(7)
    names = {
        "region": [f"{number:03d}" for number in range(300)],
        "gender": ["female", "male"],
        "trade": [f"trade {number}" for number in range(9)],
        "illness": ["none", "asthma", "gout", "flu"],
    }
    for start in range(0, rows, BATCH):
        size = min(BATCH, rows - start)
        columns = {
            name: pa.array(words).take(pa.array(draw.integers(0, len(words), size))) for name, words in names.items()
        }
        born = pa.array(draw.integers(1940, 2005, size))
        people = pa.array([f"tk_{number // 2:030d}" for number in range(start, start + size)])
        yield pa.RecordBatch.from_pydict({"person": people, "born": born, **columns})


def ours(rows: int) -> tuple[int, int, int]:
    """k, classes and the smallest number of sensitive values, batch by batch."""
    from secure_ml.protection.anonymity.counting import ClassCounter
    from secure_ml.protection.anonymity.measures import distinct_diversity, k_anonymity

    counter = ClassCounter(QUASI, sensitive=[SENSITIVE], subject=SUBJECT)
    for batch in batches(rows):
        counter.add(batch)
    classes, _ = counter.classes()
    count = len(classes.subjects)
    return k_anonymity(classes), count, int(distinct_diversity(classes.distributions[SENSITIVE], count).min())


def peer(rows: int) -> tuple[int, int, int]:
    """The same from one data frame."""
    import pyarrow as pa

    frame = pa.Table.from_batches(list(batches(rows))).to_pandas()
    grouped = frame.groupby(list(QUASI))
    people = grouped[SUBJECT].nunique()
    return int(people.min()), len(people), int(grouped[SENSITIVE].nunique().min())


def run(which: str, rows: int) -> None:
    """Prints what one way found and took; the work of a process of its own."""
    for library in ("pandas", "pyarrow", "secure_ml.protection.anonymity.counting"):
        importlib.import_module(library)
    before, start = peak_mb(), time.perf_counter()
    found = {"ours": ours, "peer": peer}[which](rows)
    print(json.dumps({"found": found, "seconds": time.perf_counter() - start, "mb": peak_mb() - before}))


def peak_mb() -> float:
    """The largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(which: str, rows: int) -> dict[str, object]:
    """What one way found and took, in a fresh process."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__)), which, str(rows)], capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main(rows: int = ROWS) -> int:
    """Measures both; 0 when the claim holds.

    Raises:
        RuntimeError: the two do not find the same.
    """
    mine, theirs = measure("ours", rows), measure("peer", rows)
    if mine["found"] != theirs["found"]:
        raise RuntimeError(f"ours finds {mine['found']}, pandas {theirs['found']}")
    result = at_most(
        "the classes of a table are counted in at most 0.6 times the memory of pandas",
        ours=float(str(mine["mb"])),
        peer=float(str(theirs["mb"])),
        unit="MB",
        goal=GOAL,
        rows=rows,
        seconds=round(float(str(mine["seconds"])), 1),
        seconds_peer=round(float(str(theirs["seconds"])), 1),
    )
    table = [
        [name, f"{float(str(run['mb'])):.0f}", f"{float(str(run['seconds'])):.1f}"]
        for name, run in (("ours", mine), ("pandas", theirs))
    ]
    return report(result, header=[f"{rows:,} rows", "MB", "seconds"], rows=table)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main())
