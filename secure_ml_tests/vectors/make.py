"""Writes a small installation as the code of the day writes one, and beside it what must be read back.

    python -m secure_ml_tests.vectors.make FOLDER

Folders that are committed are never made again: they stand for installations that exist. A release that changes a
stored format adds a folder of its own.
"""

import contextlib
import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.csv as pacsv

from secure_ml.access.stages import CHECKS, SIDE, TEST, TRAIN, VALIDATION, Stage
from secure_ml.assessment.evaluation import Evaluation
from secure_ml.installation import Installation
from secure_ml.keys.local_file import LocalFileKeyService
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.policy.project import Policy
from secure_ml.policy.projects import Project
from secure_ml.privacy.charge import Charge
from secure_ml.protection.classify.finding import FINDINGS_SCHEMA, Finding, findings_table
from secure_ml.protection.mask.masking import Masking
from secure_ml.release.candidate import read_candidate, train_candidate
from secure_ml.release.registration import Circumstances, register_candidate
from secure_ml.release.validation import EVALUATION, FACTS
from secure_ml.settings import Profile, read_settings
from secure_ml.training.split import split
from secure_ml.training.train import ChargeBudget
from secure_ml.vault.artefacts import artefacts
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.door import Door, Stored
from secure_ml.vault.labels import PUBLIC
from secure_ml_tests.fakes.noted_registry import NotedRegistry
from secure_ml_tests.training.people import BOOSTING, people, policy

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
    # The log names who ran this; whoever did is nobody's business.
    with patch("secure_ml.installation.login_of", lambda uid: "steward"):
        installation = Installation(read_settings(environ), projects, clock=lambda: _NOW)
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
    stored, tokens = _masked(installation, rule)
    door = installation.door(environment=ENVIRONMENT, project=rule.project, run_id="run-1")
    masked = {period: door.open(Stage.MASKED, period, by=Stage.SPLIT) for period in PERIODS}
    early_checkpoint = installation.log.checkpoint()
    stored.append(_split(door, rule, masked))
    stored += _release(installation, door, rule)
    rows = {period: table.read().to_pylist() for period, table in masked.items()}
    return {
        "tokens": tokens,
        "rows": rows,
        "sides": {
            row["person"]: row[SIDE] for row in door.assess(Stage.SPLIT, "")[1].read(["person", SIDE]).to_pylist()
        },
        "early_checkpoint": early_checkpoint,
        "digests": {str(one.address): one.digest for one in stored},
        "predictions": _predictions(door, rows[PERIODS[0]]),
    }


def _masked(installation: Installation, rule: Policy) -> tuple[list[Stored], dict[str, str]]:
    """Writes `raw`, `classified` and `masked` of every period, each in a run; what was stored, tokens by person."""
    stored, tokens = [], {}
    for seed, period in enumerate(PERIODS):
        door = installation.door(environment=ENVIRONMENT, project=rule.project, run_id=f"protect-{period}")
        with tempfile.TemporaryDirectory() as delivered:
            table = pa.Table.from_pylist(people(ROWS, seed=seed, subjects=20))
            pacsv.write_csv(table, Path(delivered) / f"{period}.csv")
            stored.append(door.write(Stage.RAW, period, door.receive(period, folder=Path(delivered), environ={})))
        _pass(door, Stage.RAW, period)
        raw = door.open(Stage.RAW, period, by=Stage.CLASSIFIED)
        findings = raw.reduce(_found, schema=FINDINGS_SCHEMA)
        stored.append(door.write(Stage.CLASSIFIED, period, findings))
        _pass(door, Stage.CLASSIFIED, period)
        raw = door.open(Stage.RAW, period, by=Stage.MASKED)
        origins = (*raw.origins, *door.open(Stage.CLASSIFIED, period, by=Stage.MASKED).origins)
        masked = Masking(rule, key_for=partial(door.derive_key, by=Stage.MASKED)).apply(raw)
        people_of, tokens_of = (read.read(["person"])["person"].to_pylist() for read in (raw, masked))
        tokens |= dict(zip(people_of, tokens_of, strict=True))
        stored.append(door.write(Stage.MASKED, period, replace(masked, origins=origins)))
        _pass(door, Stage.MASKED, period)
    return stored, tokens


def _found(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch:
    return findings_table(_FINDINGS)


def _pass(door: Door, stage: Stage, partition: str = "") -> None:
    """Verdicts of every check of a stage."""
    manifest, _ = door.assess(stage, partition)
    facts = {"rows": ROWS, "share": 0.5, "note": "all in order", "complete": True}
    for check in CHECKS[stage]:
        door.record_verdict(manifest, check=check, passed=True, blocking=True, facts=facts)


def _split(door: Door, rule: Policy, masked: Mapping[str, Dataset]) -> Stored:
    stored = door.write(Stage.SPLIT, "", split(masked, rule, subject_key=door.derive_key("subject", by=Stage.SPLIT)))
    _pass(door, Stage.SPLIT)
    return stored


def _train(door: Door, rule: Policy, charge: ChargeBudget) -> Stored:
    train_side = door.open(Stage.SPLIT, "", by=Stage.TRAINED, sections=(TRAIN,))
    subject_key = door.derive_key("subject", by=Stage.TRAINED)
    packed = train_candidate(train_side, rule, periods=PERIODS, subject_key=subject_key, charge=charge)
    stored = door.write(Stage.TRAINED, "", packed)
    _pass(door, Stage.TRAINED)
    return stored


def _release(installation: Installation, door: Door, rule: Policy) -> list[Stored]:
    """Writes `trained`, `validated` and `registered`."""

    def charge(*, epsilon: Decimal, delta: Decimal, description: str) -> Charge:
        return installation.ledger.charge(
            project=f"{ENVIRONMENT}/{rule.project}", epsilon=epsilon, delta=delta, limit_epsilon=Decimal(3),
            limit_delta=Decimal("3e-6"), unit="subject", description=description, actor="steward", run_id="run-1",
        )  # fmt: skip

    trained = _train(door, rule, charge)
    sides = door.open(Stage.SPLIT, "", by=Stage.VALIDATED, sections=(VALIDATION, TEST))
    model = door.open(Stage.TRAINED, "", by=Stage.VALIDATED)
    candidate = read_candidate(model)
    judged = Evaluation.from_json(PUBLISHED.read_bytes()).model_copy(
        update={"project": rule.project, "model_digest": candidate.digest, "policy_digest": rule.digest}
    )
    files = {EVALUATION: judged.to_json().encode(), FACTS: json.dumps(candidate.model.facts.to_json()).encode()}
    evidence = artefacts(files, label=PUBLIC, origins=(*sides.origins, *model.origins), summary={"auc": 0.75})
    validated = door.write(Stage.VALIDATED, "", evidence)
    _pass(door, Stage.VALIDATED)
    evidence = door.open(Stage.VALIDATED, "", by=Stage.REGISTERED)
    entry = register_candidate(
        door.open(Stage.TRAINED, "", by=Stage.REGISTERED), evidence, rule,
        lineage=door.lineage(evidence), registry=NotedRegistry(),
        circumstances=Circumstances(ENVIRONMENT, "run-1", "steward", "0.1.0", "e" * 64, Profile.PERSONAL, _NOW),
    )  # fmt: skip
    return [trained, validated, door.write(Stage.REGISTERED, "", entry)]


def _write_boosted(installation: Installation, rule: Policy) -> dict[str, Any]:
    """Writes a `trained` without privacy and without a backtest, and what it was made from."""

    def charge(*, epsilon: Decimal, delta: Decimal, description: str) -> Charge:
        raise AssertionError

    _masked(installation, rule)
    door = installation.door(environment=ENVIRONMENT, project=rule.project, run_id="run-2")
    masked = {period: door.open(Stage.MASKED, period, by=Stage.SPLIT) for period in PERIODS}
    _split(door, rule, masked)
    _train(door, rule, charge)
    return _predictions(door, masked[PERIODS[0]].read().to_pylist()[:10])


def _predictions(door: Door, rows: list[dict[str, Any]]) -> dict[str, Any]:
    candidate = read_candidate(door.assess(Stage.TRAINED, "")[1])
    batch = pa.RecordBatch.from_pylist(rows)
    return {
        "rows": rows,
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


if __name__ == "__main__":
    make(Path(sys.argv[1]))
