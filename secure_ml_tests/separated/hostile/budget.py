"""How a run that trains tries to learn more than the policy's budget allows."""

import os
from pathlib import Path

from secure_ml.privacy.charging import ChargeBudget
from secure_ml.vault.wire.client import SocketKernel
from secure_ml_tests.separated.hostile import PLACE, Run, during, outcome
from secure_ml_tests.separated.hostile.requests import at_once


@during("split")
def overspend(run: Run) -> dict[str, object]:
    def charged(epsilon: str, delta: str = "0", **changes: object) -> object:
        asked = {"epsilon": epsilon, "delta": delta, "description": "hostile", **changes}
        return outcome(run.ask, ChargeBudget, **asked)

    return {
        "beyond epsilon": charged("3.000000001"),
        "beyond delta": charged("0.1", "0.5"),
        "negative": charged("-1"),
        "negative delta": charged("0.1", "-0.1"),
        "nothing": charged("0"),
        "no number": charged("NaN"),
        "too long to add up": charged("1e-1000000"),
        "another project's": charged("0.1", project="loan_approval"),
        "within": charged("0.5"),
        "the rest and more": charged("2.500000001"),
        "at once": sorted(set(map(str, at_once(lambda: _elsewhere(run))))),
    }


def _elsewhere(run: Run) -> object:
    kernel = SocketKernel(Path(os.environ["SECURE_ML_KERNEL_SOCKET"]))
    asked = {"ticket": run.ticket, **PLACE, "epsilon": "0.5", "delta": "0", "description": "hostile"}
    return outcome(kernel.send, ChargeBudget.model_validate(asked))
