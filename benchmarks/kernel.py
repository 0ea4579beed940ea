"""Claim: in the profile `separated` the demonstration takes at most 1.1 times what it takes in the profile `personal`.

Ours: `sudo secure-ml demo` with kernel and assessor in processes of their own, which run already, and each of its
thirteen runs confined. Peer: `secure-ml demo` with the kernel in its own process. Both from the start of the command to
its end, by the same interpreter, in a new installation each time; by turns, since a machine has good and bad minutes;
medians. Needs root, as the profile does.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from report import at_most, report, skip

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    from secure_ml_tests.fakes.separated import Separated

GOAL, TURNS = 1.1, 3
CLAIM = f"the demonstration takes at most {GOAL} times as long with a kernel of its own, and confined"
COMMAND = ("demo", "--json")


def separated_seconds(made: "Separated") -> float:
    """The demonstration behind the running kernel's socket.

    Raises:
        CalledProcessError: it failed; what it said is on stderr.
    """
    start = time.perf_counter()
    ended = made.secure_ml(*COMMAND)
    seconds = time.perf_counter() - start
    sys.stderr.write(ended.stderr if ended.returncode else "")
    ended.check_returncode()
    return seconds


def personal_seconds(made: "Separated") -> float:
    """The demonstration by the same interpreter and code, in an installation of one user's.

    Raises:
        CalledProcessError: it failed; what it said is on stderr.
    """
    ours = {name: value for name, value in made.environ.items() if not name.startswith("SECURE_ML_")}
    with tempfile.TemporaryDirectory() as folder:
        places = {"SECURE_ML_HOME": f"{folder}/home", "SECURE_ML_KEYS": f"{folder}/keys"}
        start = time.perf_counter()
        subprocess.run(
            made.command(*COMMAND), env={**ours, **places}, cwd=folder, stdout=subprocess.DEVNULL, check=True
        )
        return time.perf_counter() - start


def measure(turn: int) -> tuple[float, float, float]:
    """Seconds in `separated`, in `personal`, and in `separated` again, where the services have worked before.

    Args:
        turn: who comes first changes with it.
    """
    from secure_ml_tests.fakes.separated import separated

    with separated() as made:
        made.wait_until_prepared()
        if turn % 2:
            personal, first = personal_seconds(made), separated_seconds(made)
        else:
            first, personal = separated_seconds(made), personal_seconds(made)
        return first, personal, separated_seconds(made)


def main(turns: int = TURNS) -> int:
    """Measures by turns and reports; returns 0 when the claim holds."""
    if os.geteuid() != 0:
        return skip(CLAIM, reason="needs root: users are made, and become")
    seconds = [measure(turn) for turn in range(turns)]
    first, personal, again = (round(median(column), 2) for column in zip(*seconds, strict=True))
    result = at_most(CLAIM, ours=first, peer=personal, unit="seconds", goal=GOAL, services_warm_s=again, turns=turns)
    rows = [
        ["personal: the kernel in the process", f"{personal:.1f}", "1.00"],
        ["separated: services that did nothing before", f"{first:.1f}", f"{first / personal:.2f}"],
        ["separated: services that have worked before", f"{again:.1f}", f"{again / personal:.2f}"],
    ]
    return report(result, header=["raw to registered", "seconds", "times"], rows=rows)


if __name__ == "__main__":
    sys.exit(main())
