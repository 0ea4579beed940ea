"""Writes a small installation as the code of the day writes one, and beside it what must be read back.

    python -m secure_ml_tests.vectors.make FOLDER

Folders that are committed are never made again: they stand for installations that exist. A release that changes a
stored format adds a folder of its own.
"""

import contextlib
import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from secure_ml.access.stages import SIDE, TRAIN, Stage
from secure_ml.assessment.evaluation import Evaluation
from secure_ml.installation import Installation
from secure_ml.keys.local_file import LocalFileKeyService
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.policy.project import Policy
from secure_ml.policy.projects import Project
from secure_ml.privacy.charge import Charge
from secure_ml.protection.classify.finding import FINDINGS_SCHEMA, Finding, findings_table
from secure_ml.protection.mask.token import Token
from secure_ml.protection.mask.treatment import ColumnReader
from secure_ml.release.candidate import read_candidate, train_candidate
from secure_ml.release.registration import Circumstances, register_candidate
from secure_ml.release.validation import EVALUATION, FACTS
from secure_ml.settings import Profile, read_settings
from secure_ml.training.split import split
from secure_ml.vault.artefacts import artefacts
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.door import Door, Stored
from secure_ml.vault.labels import PUBLIC
from secure_ml_tests.fakes.noted_registry import NotedRegistry
from secure_ml_tests.training.people import BOOSTING, dataset, people, policy

ENVIRONMENT = "training"
PERIODS = ("p1", "p2")
ROWS = 30
PUBLISHED = Path(__file__).parents[1] / "assessment" / "vectors" / "evaluation-1.json"

_SOURCE = {"format": "csv", "path": "{partition}.csv", "partitions": {"kind": "static", "keys": list(PERIODS)}}
_NOW = datetime(2031, 5, 1, 9, 30, tzinfo=UTC)
_FINDINGS = (
    Finding(
        column="person", entity=Entity.SUBJECT_ID, category=Category.PII, identifiability=Identifiability.DIRECT,
        confidence=0.75, rows=60, non_null=59, pattern_matches=58, examined=58, validated=57, distinct_at_least=60,
        context=True, reason="named like an identifier of a person",
    ),
    Finding(
        column="remark", entity=Entity.FREE_TEXT, category=Category.PII, identifiability=Identifiability.DIRECT,
        confidence=1.0, rows=60, non_null=12, pattern_matches=0, examined=0, validated=0, distinct_at_least=12,
        context=False, embedded={Entity.PHONE: 2, Entity.EMAIL: 1}, also=(Entity.PERSON_NAME,), reason="sentences",
    ),
)  # fmt: skip


def make(folder: Path) -> None:
    """Writes `keys`, `home` and `expected.json` into an empty folder."""
    private = policy(
        source=_SOURCE, storage={"buckets": 2}, backtest={"periods": 1, "epsilon": "0.5"}, split={"validation": 0.3}
    )
    boosted = policy(source=_SOURCE, project="boosted", estimator={**BOOSTING, "iterations": 5})
    environ = {"SECURE_ML_HOME": str(folder / "home"), "SECURE_ML_KEYS": str(folder / "keys")}
    projects = {known.project: Project(known, folder) for known in (private, boosted)}
    installation = Installation(read_settings(environ), projects, clock=lambda: _NOW)
    with _actor("steward"):
        expected = _write_private(installation, private)
        expected["boosted"] = _write_boosted(installation, boosted)
    expected |= {
        "verification_key": installation.signing_key.verification_key.encode(),
        "root_key_fingerprint": LocalFileKeyService.open(folder / "keys").key_id,
        "log_size": installation.log.size(),
    }
    lines = [f"{json.dumps(name)}: {json.dumps(told, sort_keys=True)}" for name, told in sorted(expected.items())]
    (folder / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    _shrink(folder / "home" / "state" / "state.db")


def _write_private(installation: Installation, rule: Policy) -> dict[str, Any]:
    door = installation.door(environment=ENVIRONMENT, project=rule.project, run_id="run-1")
    sources, masked = _masked(door, rule)
    stored = [door.write(Stage.MASKED, period, table) for period, table in masked.items()]
    door.record_verdict(
        door.assess(Stage.MASKED, PERIODS[0])[0], check="minimisation", passed=True, blocking=True,
        facts={"rows": ROWS, "share": 0.5, "note": "all in order", "complete": True},
    )  # fmt: skip
    early_checkpoint = installation.log.checkpoint()
    origins = tuple(one.version_id for one in stored)
    batch = findings_table(_FINDINGS)
    door.write(
        Stage.CLASSIFIED, PERIODS[0],
        from_batches([batch], schema=FINDINGS_SCHEMA, labels=dict.fromkeys(FINDINGS_SCHEMA.names, PUBLIC)),
    )  # fmt: skip
    sides = replace(split(masked, rule, subject_key=door.derive_key("subject", by=Stage.SPLIT)), origins=origins)
    stored.append(door.write(Stage.SPLIT, "", sides))
    stored += _release(installation, door, rule, sides, stored[-1])
    return {
        "tokens": {source: token for period in PERIODS for source, token in sources[period].items()},
        "rows": {period: masked[period].read().to_pylist() for period in PERIODS},
        "sides": {row["person"]: row[SIDE] for row in sides.read().to_pylist()},
        "early_checkpoint": early_checkpoint,
        "digests": {str(one.address): one.digest for one in stored},
        "predictions": _predictions(door.assess(Stage.TRAINED, "")[1], masked[PERIODS[0]]),
    }


def _masked(door: Door, rule: Policy) -> tuple[dict[str, dict[str, str]], dict[str, Dataset]]:
    key = door.derive_key("token:subject_id", by=Stage.MASKED)
    treatment = Token(ColumnReader(rule.columns["person"], ()), "token:subject_id", key)
    sources, tables = {}, {}
    for seed, period in enumerate(PERIODS):
        rows = people(ROWS, seed=seed, subjects=20)
        tokens = treatment.apply(pa.array([row["person"] for row in rows])).values.to_pylist()
        sources[period] = dict(zip((row["person"] for row in rows), tokens, strict=True))
        tables[period] = dataset([{**row, "person": token} for row, token in zip(rows, tokens, strict=True)])
    return sources, tables


def _release(installation: Installation, door: Door, rule: Policy, sides: Dataset, split_: Stored) -> list[Stored]:
    """Writes `trained`, `validated` and `registered`."""

    def charge(*, epsilon: Decimal, delta: Decimal, description: str) -> Charge:
        return installation.ledger.charge(
            project=f"{ENVIRONMENT}/{rule.project}", epsilon=epsilon, delta=delta, limit_epsilon=Decimal(3),
            limit_delta=Decimal("3e-6"), unit="subject", description=description, actor="steward", run_id="run-1",
        )  # fmt: skip

    train_side = replace(_only(sides, TRAIN), origins=(split_.version_id,))
    subject_key = door.derive_key("subject", by=Stage.TRAINED)
    packed = train_candidate(train_side, rule, periods=PERIODS, subject_key=subject_key, charge=charge)
    trained = door.write(Stage.TRAINED, "", packed)
    candidate = read_candidate(packed)
    judged = Evaluation.from_json(PUBLISHED.read_bytes()).model_copy(
        update={"project": rule.project, "model_digest": candidate.digest, "policy_digest": rule.digest}
    )
    files = {EVALUATION: judged.to_json().encode(), FACTS: json.dumps(candidate.model.facts.to_json()).encode()}
    evidence = artefacts(files, label=PUBLIC, origins=(split_.version_id, trained.version_id), summary={"auc": 0.75})
    validated = door.write(Stage.VALIDATED, "", evidence)
    lineage = [door.assess(stage, "")[0] for stage in (Stage.TRAINED, Stage.VALIDATED, Stage.SPLIT)]
    entry = register_candidate(
        replace(packed, origins=(trained.version_id,)), replace(evidence, origins=(validated.version_id,)), rule,
        lineage=lineage, registry=NotedRegistry(),
        circumstances=Circumstances(ENVIRONMENT, "run-1", "steward", "0.1.0", "e" * 64, Profile.PERSONAL, _NOW),
    )  # fmt: skip
    return [trained, validated, door.write(Stage.REGISTERED, "", entry)]


def _write_boosted(installation: Installation, rule: Policy) -> dict[str, Any]:
    """Writes a `trained` without privacy and without a backtest."""

    def charge(*, epsilon: Decimal, delta: Decimal, description: str) -> Charge:
        raise AssertionError

    door = installation.door(environment=ENVIRONMENT, project=rule.project, run_id="run-2")
    rows = people(80)
    subject_key = door.derive_key("subject", by=Stage.TRAINED)
    packed = train_candidate(dataset(rows), rule, periods=PERIODS, subject_key=subject_key, charge=charge)
    door.write(Stage.TRAINED, "", packed)
    return _predictions(door.assess(Stage.TRAINED, "")[1], dataset(rows[:10]))


def _only(sides: Dataset, side: str) -> Dataset:
    rows = [row for row in sides.read().to_pylist() if row[SIDE] == side]
    return from_batches(
        [pa.RecordBatch.from_pylist(rows, schema=sides.schema)], schema=sides.schema, labels=sides.labels
    )


def _predictions(trained: Dataset, rows: Dataset) -> dict[str, Any]:
    candidate = read_candidate(trained)
    (batch,) = rows.scan()
    return {
        "rows": batch.to_pylist(),
        "model": candidate.model.predict_probability(batch).tolist(),
        "twin": None if candidate.twin is None else candidate.twin.predict_probability(batch).tolist(),
        "digest": candidate.digest,
        "charge_id": candidate.charge_id,
        "held_out": candidate.held_out,
    }


def _shrink(database: Path) -> None:
    """Smaller pages, for the repository's sake; to a reader they make no difference."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("VACUUM")


@contextlib.contextmanager
def _actor(name: str) -> Iterator[None]:
    """The log names who ran this; whoever did is nobody's business."""
    before: Mapping[str, str] = dict(os.environ)
    os.environ["LOGNAME"] = name
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
