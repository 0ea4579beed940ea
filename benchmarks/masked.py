"""Claim: raw to masked, ten million rows of twelve columns, takes 1.5 times as long as plain files at most.

Ours: `masked` of a stored, encrypted raw version, through the door of a real installation: read, verify and decrypt,
treat, encrypt, digest, commit. Peer: the same rows from plain Parquet, through the same treatments, to plain Parquet.
In turn, each in a fresh process. Memory is bounded if the peak is at most 1.3 times that of a tenth of the rows. The
shares are of the processor's time: reading and decrypting alone, treating, and all that storing adds.

Every column has another treatment. None is free text, whose cost is its length's (`benchmarks/text.py`). The table is
written by another process. The checks are passed unlooked: their cost is not masking's.
"""

import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from report import at_most, report

if TYPE_CHECKING:
    import pyarrow as pa

    from secure_ml.policy.project import Policy
    from secure_ml.vault.dataset import Dataset
    from secure_ml.vault.door import Door

ROWS, FRACTION, GOAL, GROWTH, SEED = 10_000_000, 10, 1.5, 1.3, 20_240_101
CHUNK_ROWS, ENVIRONMENT, WHOLE = 250_000, "training", ""
_FEATURE = {"kind": "feature", "reason": "the purpose needs it"}


def _column(kind: str, treatment: str, entity: str, level: str, use: Any = "never", **settings: Any) -> dict[str, Any]:
    return {
        "description": "a column of the benchmark",
        "type": kind,
        "category": "pii",
        "entity": entity,
        "identifiability": level,
        "treatment": {"kind": treatment, **settings},
        "use": {"kind": use} if isinstance(use, str) else use,
    }


COLUMNS = {
    "customer": _column("string", "token", "subject_id", "pseudonym", "administrative"),
    "full_name": _column("string", "redact", "person_name", "direct"),
    "email": _column("string", "deterministic_encryption", "email", "direct"),
    "phone": _column("string", "partial_mask", "phone", "direct", "review", keep_last=4),
    "account": _column("string", "format_preserving", "account_number", "direct"),
    "born": _column("date", "generalise_date", "date_of_birth", "quasi", "fairness", to="year"),
    "opened": _column("date", "generalise_date", "none", "none", "review", to="month"),
    "pin_code": _column("string", "generalise_geography", "pin_code", "quasi", "review", keep_first=3),
    "income": _column("number", "generalise_number", "income", "quasi", _FEATURE, step=5000),
    "occupation": _column("string", "keep", "none", "none", _FEATURE),
    "amount": _column("number", "keep", "none", "none", _FEATURE),
    "approved": _column("string", "keep", "none", "none", "administrative"),
}


def policy() -> "Policy":
    """What is declared of the table."""
    from secure_ml.policy.project import Policy

    return Policy.model_validate(
        {
            "project": "masked_benchmark",
            "title": "The masking benchmark",
            "purpose": "to measure what masking costs",
            "legal_basis": "contract",
            "owners": ["team:benchmarks"],
            "source": {"format": "parquet", "path": "source.parquet"},
            "subject": {"column": "customer"},
            "label": {"column": "approved", "positive": "yes"},
            "columns": COLUMNS,
            "training": {"estimator": {"kind": "hist_gradient_boosting", "no_privacy_reason": "nothing is trained"}},
            "retention": {"raw_days": 1, "masked_days": 1, "model_days": 1},
        }
    )


def generate(folder: Path, rows: int) -> None:
    """Writes the table as one Parquet file, a chunk at a time."""
    import pyarrow.parquet as pq

    first = _chunk(0, min(rows, CHUNK_ROWS))
    with pq.ParquetWriter(folder / "source.parquet", first.schema, compression="zstd") as writer:
        for start in range(0, rows, CHUNK_ROWS):
            writer.write_batch(_chunk(start, min(rows - start, CHUNK_ROWS)))


def _chunk(start: int, rows: int) -> "pa.RecordBatch":
    """Invented applicants: every one another, as in a table of customers, with 2 % of the cells missing."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    draw = np.random.default_rng(SEED + start)
    number = pa.array(np.arange(start, start + rows))
    digits = pc.utf8_lpad(number.cast(pa.string()), 8, "0")

    def joined(*parts: Any) -> pa.Array:
        return pc.binary_join_element_wise(*parts, "")

    def drawn(words: list[str]) -> pa.Array:
        return pa.array(words).take(pa.array(draw.integers(0, len(words), rows)))

    def some_missing(values: pa.Array) -> pa.Array:
        return pc.if_else(pa.array(draw.random(rows) < 0.02), None, values)

    def days(low: int, high: int) -> pa.Array:
        return pa.array(draw.integers(low, high, rows).astype("int32")).cast(pa.date32()).cast(pa.string())

    syllables = [a + b for a in "bdgklmnprstv" for b in ("a", "e", "i", "o", "u", "an", "ir")]
    names = [drawn(syllables) for _ in range(4)]
    return pa.record_batch(
        {
            "customer": joined("CUST-", digits),
            "full_name": pc.utf8_title(joined(names[0], names[1], " ", names[2], names[3])),
            "email": some_missing(joined(names[0], ".", names[2], digits, "@mail.example")),
            "phone": some_missing(joined("+91 9", digits, "1")),
            "account": some_missing(joined("0042", digits)),
            "born": days(-14_000, 13_000),
            "opened": days(18_000, 20_000),
            "pin_code": pa.array(draw.integers(110_001, 855_118, rows)).cast(pa.string()),
            "income": some_missing(pa.array(np.round(draw.lognormal(10, 1, rows), 2)).cast(pa.string())),
            "occupation": drawn(["salaried", "self-employed", "farmer", "retired", "student"]),
            "amount": pa.array(np.round(draw.lognormal(9, 1, rows), 2)).cast(pa.string()),
            "approved": drawn(["yes", "no"]),
        }
    )


@dataclass(frozen=True)
class Cost:
    """What one side took."""

    seconds: float
    cpu: float


def timed(work: Callable[[], object]) -> Cost:
    """Seconds by the clock and of the processor, in all threads."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - start, time.process_time() - cpu)


def ours(folder: Path) -> dict[str, float]:
    """Stores the table as raw, and measures what making and storing `masked` of it takes."""
    from secure_ml.access.stages import CHECKS, Stage
    from secure_ml.guard.telemetry import silence
    from secure_ml.installation import Installation
    from secure_ml.policy.projects import Project
    from secure_ml.protection.classify.findings import classify
    from secure_ml.protection.mask.masking import Masking
    from secure_ml.settings import read_settings

    declared = policy()
    silence(os.environ)
    settings = read_settings({"SECURE_ML_HOME": str(folder / "home"), "SECURE_ML_KEYS": str(folder / "keys")})
    installation = Installation(settings, {declared.project: Project(declared, folder)})
    door = installation.door(environment=ENVIRONMENT, project=declared.project, run_id="benchmark")
    door.write(Stage.RAW, WHOLE, door.receive(WHOLE, folder=folder, environ={}))
    _pass(door, Stage.RAW, CHECKS[Stage.RAW])
    door.write(Stage.CLASSIFIED, WHOLE, classify(_beginning(door.open(Stage.RAW, WHOLE, by=Stage.CLASSIFIED))))
    _pass(door, Stage.CLASSIFIED, CHECKS[Stage.CLASSIFIED])
    raw, classified = (door.open(stage, WHOLE, by=Stage.MASKED) for stage in (Stage.RAW, Stage.CLASSIFIED))
    masking = Masking(declared, key_for=lambda purpose: door.derive_key(purpose, by=Stage.MASKED))
    masked = replace(masking.apply(raw), origins=(*raw.origins, *classified.origins))
    before = peak_mb()
    reading = timed(lambda: _drained(raw.scan()))
    treating = timed(lambda: _drained(masked.scan()))
    all_of_it = timed(lambda: door.write(Stage.MASKED, WHOLE, masked))
    return {
        "rows": float(masking.summary()["rows_masked"]),
        "seconds": all_of_it.seconds,
        "decrypt_cpu": reading.cpu,
        "mask_cpu": treating.cpu - reading.cpu,
        "encrypt_cpu": all_of_it.cpu - treating.cpu,
        "before_mb": before,
        "peak_mb": peak_mb(),
    }


def _pass(door: "Door", stage: Any, checks: Any) -> None:
    manifest, _ = door.assess(stage, WHOLE)
    for check in checks:
        door.record_verdict(manifest, check=check, passed=True, blocking=True, facts={})


def _beginning(raw: "Dataset") -> "Dataset":
    return replace(raw, open=lambda columns: itertools.islice(raw.scan(columns), 1))


def _drained(batches: "Iterator[pa.RecordBatch]") -> None:
    for _ in batches:
        pass


def peer(folder: Path) -> dict[str, float]:
    """The same treatments between plain files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from secure_ml.policy.project import Policy
    from secure_ml.protection.mask.masking import Masking
    from secure_ml.vault.dataset import Dataset
    from secure_ml.vault.labels import declared_label

    declared: Policy = policy()
    source = folder / "source.parquet"
    labels = {name: declared_label(column) for name, column in declared.columns.items()}
    schema = pq.read_schema(source)

    def scan(columns: Any) -> "Iterator[pa.RecordBatch]":
        yield from pq.ParquetFile(source).iter_batches(BATCH_ROWS, columns=list(columns))

    masked = Masking(declared, key_for=lambda purpose: b"k" * 32).apply(Dataset(schema, labels, scan))

    def work() -> None:
        with pq.ParquetWriter(folder / "masked.parquet", masked.schema, compression="zstd") as writer:
            pending: list[pa.RecordBatch] = []
            for batch in masked.scan():
                pending.append(batch)
                if len(pending) * BATCH_ROWS >= ROW_GROUP_ROWS:
                    writer.write_table(pa.Table.from_batches(pending))
                    pending = []
            if pending:
                writer.write_table(pa.Table.from_batches(pending))
        with (folder / "masked.parquet").open("rb") as written:
            os.fsync(written.fileno())

    cost = timed(work)
    return {"seconds": cost.seconds, "cpu": cost.cpu, "peak_mb": peak_mb()}


BATCH_ROWS, ROW_GROUP_ROWS = 10_000, 50_000


def peak_mb() -> float:
    """This process's peak resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(rows: int, *jobs: str) -> list[dict[str, float]]:
    """Generates a table, and does the jobs with it, each in a process of its own."""
    with tempfile.TemporaryDirectory() as made:
        told = []
        for job in ("generate", *jobs):
            # This process stays small: a child's peak would begin at its parent's.
            command = [sys.executable, __file__, job, made, str(rows)]
            told.append(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        return [json.loads(printed.splitlines()[-1]) for printed in told[1:]]


def main(rows: int = ROWS) -> int:
    """Measures and reports; returns 0 when the claim holds."""
    (small,) = measure(rows // FRACTION, "ours")
    large, plain = measure(rows, "ours", "peer")
    cpu = sum(large[f"{share}_cpu"] for share in ("decrypt", "mask", "encrypt"))
    shares = {share: round(large[f"{share}_cpu"] / cpu, 3) for share in ("decrypt", "mask", "encrypt")}
    result = at_most(
        f"raw to masked takes at most {GOAL} times the time of plain files, in bounded memory",
        ours=large["seconds"],
        peer=plain["seconds"],
        unit="seconds",
        goal=GOAL,
        rows=int(large["rows"]),
        columns=len(COLUMNS),
        rows_a_second=round(large["rows"] / large["seconds"]),
        **{f"share_{name}": share for name, share in shares.items()},
        peak_mb=round(large["peak_mb"]),
        peak_mb_of_a_tenth=round(small["peak_mb"]),
    )
    result = replace(result, holds=result.holds and large["peak_mb"] <= GROWTH * small["peak_mb"])
    table = [
        [f"{rows:,} rows through the door", f"{large['seconds']:.1f}", f"{cpu:.1f}", f"{large['peak_mb']:.0f}"],
        ["the same between plain files", f"{plain['seconds']:.1f}", f"{plain['cpu']:.1f}", f"{plain['peak_mb']:.0f}"],
        [f"{rows // FRACTION:,} rows through the door", f"{small['seconds']:.1f}", "", f"{small['peak_mb']:.0f}"],
        *([f"share: {name}", "", f"{share:.0%}", ""] for name, share in shares.items()),
    ]
    return report(result, header=["raw to masked", "seconds", "processor's", "MB peak"], rows=table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["generate"]:
        generate(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] in (["ours"], ["peer"]):
        print(json.dumps({"ours": ours, "peer": peer}[sys.argv[1]](Path(sys.argv[2]))))
    else:
        sys.exit(main(*map(int, sys.argv[1:2])))
