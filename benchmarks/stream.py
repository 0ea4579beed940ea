"""Claim: taking ten times the rows from raw to masked takes at most 1.3 times the peak memory.

The shipped project's policy on generated loan applications, in one partition: received, stored, inspected, classified,
masked and inspected again, each through the door of a real installation. Ours: the peak resident memory with ten times
the rows. Peer: the same with a tenth. Each in a fresh process; generating the table is another's work. The table also
says what is resident before the first row is read, so that the growth is not hidden behind it.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from report import at_most, report

ROWS, FACTOR, GOAL, SEED = 40_000, 10, 1.3, 20_240_101
MONTH, ENVIRONMENT = "2024-01", "training"


def generate(folder: Path, rows: int) -> None:
    """Writes the table as one file of one month."""
    from secure_ml.recipes.loans import write_loans

    write_loans(folder, rows=rows, months=1, seed=SEED, on_progress=None)


def protect(folder: Path) -> dict[str, float]:
    """Takes the table in `folder` from raw to masked; returns memory in MB and seconds.

    Raises:
        RuntimeError: a check did not pass, so masked was never reached.
    """
    from secure_ml.access.stages import Stage
    from secure_ml.guard.telemetry import silence
    from secure_ml.installation import Installation
    from secure_ml.orchestration.checks import classified, masked, raw
    from secure_ml.orchestration.checks.assessment import Judge
    from secure_ml.policy.load import load_policy
    from secure_ml.policy.projects import Project
    from secure_ml.protection.classify.findings import classify
    from secure_ml.protection.mask.masking import Masking
    from secure_ml.settings import read_settings
    from secure_ml.vault.dataset import Dataset

    shipped = load_policy(Path(__file__).resolve().parents[1] / "secure_ml" / "defs" / "loan_approval")
    source = shipped.source.model_copy(update={"path": "{partition}.csv"})
    policy = shipped.model_copy(update={"source": source})
    silence(os.environ)
    settings = read_settings({"SECURE_ML_HOME": str(folder / "home"), "SECURE_ML_KEYS": str(folder / "keys")})
    project = Project(policy, folder)
    installation = Installation(settings, {policy.project: project})
    door = installation.door(environment=ENVIRONMENT, project=policy.project, run_id="benchmark")

    def passed(stage: Stage, judge: Judge) -> None:
        manifest, dataset = door.assess(stage, MONTH)
        for j in judge(dataset):
            door.record_verdict(manifest, check=j.check, passed=j.passed, blocking=j.blocking, facts=j.facts)
            if j.blocking and not j.passed:
                raise RuntimeError(f"{stage}: {j.check} did not pass: {j.words}")

    def masking(read: Dataset) -> Dataset:
        return Masking(policy, key_for=lambda purpose: door.derive_key(purpose, by=Stage.MASKED)).apply(read)

    before, start = peak_mb(), time.perf_counter()
    door.write(Stage.RAW, MONTH, door.receive(MONTH, folder=folder, environ={}))
    passed(Stage.RAW, raw.judge_of(project))
    door.write(Stage.CLASSIFIED, MONTH, classify(door.open(Stage.RAW, MONTH, by=Stage.CLASSIFIED)))
    passed(Stage.CLASSIFIED, classified.judge_of(project))
    rows, findings = (door.open(stage, MONTH, by=Stage.MASKED) for stage in (Stage.RAW, Stage.CLASSIFIED))
    stored = door.write(Stage.MASKED, MONTH, replace(masking(rows), origins=(*rows.origins, *findings.origins)))
    passed(Stage.MASKED, masked.judge_of(project))
    return {
        "rows": float(stored.summary["rows_read"]),
        "before_mb": before,
        "peak_mb": peak_mb(),
        "seconds": time.perf_counter() - start,
    }


def peak_mb() -> float:
    """This process's peak resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(rows: int) -> dict[str, float]:
    """Generates a table and protects it, each in a process of its own."""
    with tempfile.TemporaryDirectory() as made:
        for job in ("generate", "protect"):
            command = [sys.executable, __file__, job, made, str(rows)]
            # This process stays small: a child's peak would begin at its parent's.
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return measured


def main(rows: int = ROWS) -> int:
    """Measures both sizes and reports; returns 0 when the claim holds."""
    small, large = measure(rows), measure(rows * FACTOR)
    result = at_most(
        f"raw to masked of {FACTOR} times the rows takes at most {GOAL} times the peak memory",
        ours=large["peak_mb"],
        peer=small["peak_mb"],
        unit="MB of peak resident memory",
        goal=GOAL,
        rows=int(large["rows"]),
        before_mb=round(large["before_mb"], 1),
    )
    table = [
        [f"{m['rows']:,.0f} rows", f"{m['before_mb']:.0f}", f"{m['peak_mb']:.0f}", f"{m['seconds']:.1f}"]
        for m in (small, large)
    ]
    return report(result, header=["raw to masked", "MB before", "MB peak", "seconds"], rows=table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["generate"]:
        generate(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["protect"]:
        print(json.dumps(protect(Path(sys.argv[2]))))
    else:
        sys.exit(main())
