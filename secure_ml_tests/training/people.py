"""Invented people and policies for the tests of training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.policy.project import Policy
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.labels import Label

KEY = bytes(range(32))
LABEL = Label(frozenset({Category.FINANCIAL}), Entity.NONE, Identifiability.QUASI)
PSEUDONYM = Label(frozenset({Category.PII}), Entity.SUBJECT_ID, Identifiability.PSEUDONYM)
PRIVATE = {"kind": "dp_additive", "epsilon": "1", "delta": "1e-6", "budget": {"epsilon": "3", "delta": "3e-6"}}
BOOSTING = {"kind": "hist_gradient_boosting", "no_privacy_reason": "invented people need none", "iterations": 20}
COLORS = ("blue", "green", "red")


def policy(
    *,
    subject: bool = True,
    estimator: Mapping[str, object] = PRIVATE,
    backtest: Mapping[str, object] | None = None,
    bounds_from: str = "steward",
    colors: Sequence[str] = COLORS,
    **changes: object,
) -> Policy:
    feature = {"kind": "feature", "reason": "the purpose needs it"}
    columns: dict[str, Any] = {
        "person": _column("string", {"kind": "administrative"}, treatment="token"),
        "income": _column("number", {**feature, "bins": [10, 20, 30, 40], "bounds_from": bounds_from}),
        "color": _column("string", {**feature, "categories": list(colors)}),
        "group": _column("string", {"kind": "fairness"}),
        "remark": _column("string", {"kind": "never"}),
        "paid": _column("string", {"kind": "administrative"}),
    }
    training: dict[str, object] = {"estimator": estimator}
    if backtest is not None:
        training["backtest"] = backtest
    declared: dict[str, object] = {
        "project": "people",
        "title": "Invented people",
        "purpose": "to test the training",
        "legal_basis": "contract",
        "owners": ["team:tests"],
        "source": {
            "format": "csv",
            "path": "{partition}.csv",
            "partitions": {"kind": "static", "keys": ["p1", "p2", "p3"]},
        },
        "label": {"column": "paid", "positive": "yes"},
        "columns": columns,
        "training": training,
        "retention": {"raw_days": 1, "masked_days": 1, "model_days": 1},
        **changes,
    }
    if subject:
        declared["subject"] = {"column": "person"}
    return Policy.model_validate(declared)


def _column(kind: str, use: Mapping[str, object], *, treatment: str = "keep") -> dict[str, object]:
    return {
        "description": "an invented column", "type": kind, "category": "financial", "identifiability": "quasi",
        "treatment": {"kind": treatment}, "use": use,
    }  # fmt: skip


def people(rows: int, *, seed: int = 0, subjects: int | None = None) -> list[dict[str, Any]]:
    """Rows whose outcome depends on income and colour."""
    rng = np.random.default_rng(seed)
    income, color = rng.uniform(0, 50, rows), rng.integers(0, len(COLORS), rows)
    chance = 1 / (1 + np.exp(-(income - 25) / 5 - (color - 1)))
    person = np.arange(rows) if subjects is None else rng.integers(0, subjects, rows)
    return [
        {
            "person": f"t{seed}-{person[i]}",
            "income": float(income[i]),
            "color": COLORS[color[i]],
            "group": "g1" if i % 3 else "g2",
            "remark": "",
            "paid": "yes" if rng.random() < chance[i] else "no",
        }
        for i in range(rows)
    ]


SCHEMA = pa.schema(
    [
        ("person", pa.string()), ("income", pa.float64()), ("color", pa.string()), ("group", pa.string()),
        ("remark", pa.string()), ("paid", pa.string()),
    ]
)  # fmt: skip


def dataset(rows: Sequence[Mapping[str, Any]], *, batch: int = 1000, schema: pa.Schema = SCHEMA) -> Dataset:
    batches = [
        pa.RecordBatch.from_pylist(list(rows[start : start + batch]), schema) for start in range(0, len(rows), batch)
    ]
    labels = {name: PSEUDONYM if name == "person" else LABEL for name in schema.names}
    return from_batches(batches, schema=schema, labels=labels)
