"""Claim: the private model at epsilon 1 ranks at least as well as plain logistic regression without privacy.

UCI Adult, its official split, the features as a steward would declare them. Ours: `dp_additive` at epsilon 1, delta
1e-6, mean of five trainings. Peer: scikit-learn's logistic regression on standardised numbers and one-hot categories,
same run.
"""

import os
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from report import Result, report, skip
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from secure_ml.policy.project import Policy
from secure_ml.training.estimators.dp_additive import DpAdditiveEstimator
from secure_ml.training.estimators.port import PrivacyLoss
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.labels import STRICTEST

EPSILON, DELTA, FITS = Decimal(1), Decimal("1e-6"), 5
MINIMUM_AUC, MINIMUM_ACCURACY = 0.909, 0.857
CLAIM = "dp_additive at epsilon 1, delta 1e-6 on Adult: AUC at least 0.909 and accuracy at least 0.857"
BINS: dict[str, list[float]] = {
    "age": list(range(20, 80, 5)),
    "education_num": list(range(2, 17)),
    "capital_gain": [1, 2000, 3500, 4500, 5500, 7000, 8000, 10000, 15000, 50000],
    "capital_loss": [1, 1400, 1700, 1800, 2000, 2300],
    "hours_per_week": [20, 30, 35, 39, 41, 46, 51, 60],
}
TEXTS = [
    "workclass", "education", "marital_status", "occupation", "relationship", "race", "sex", "native_country",
]  # fmt: skip


def policy(table: pd.DataFrame) -> Policy:
    """The policy; the category lists are the data set's published code book, which the file repeats."""

    def column(kind: str, use: dict[str, object]) -> dict[str, object]:
        return {
            "description": "a census answer", "type": kind, "category": "internal", "identifiability": "quasi",
            "treatment": {"kind": "keep"}, "use": use,
        }  # fmt: skip

    reason = {"kind": "feature", "reason": "a benchmark of utility"}
    columns = {name: column("integer", {**reason, "bins": bins}) for name, bins in BINS.items()}
    columns |= {name: column("string", {**reason, "categories": sorted(table[name].unique())}) for name in TEXTS}
    columns["income"] = column("string", {"kind": "administrative"})
    budget = {"epsilon": EPSILON * FITS, "delta": DELTA * FITS}
    return Policy.model_validate(
        {
            "project": "adult",
            "title": "Census income",
            "purpose": "a benchmark of utility",
            "legal_basis": "public_task",
            "owners": ["team:benchmarks"],
            "source": {"format": "csv", "path": "adult.csv"},
            "label": {"column": "income", "positive": ">50K"},
            "columns": columns,
            "training": {"estimator": {"kind": "dp_additive", "epsilon": EPSILON, "delta": DELTA, "budget": budget}},
            "retention": {"raw_days": 1, "masked_days": 1, "model_days": 1},
        }
    )


def dataset(table: pd.DataFrame) -> Dataset:
    """The frame as a dataset of one batch."""
    batch = pa.RecordBatch.from_pandas(table, preserve_index=False)
    return from_batches([batch], schema=batch.schema, labels=dict.fromkeys(batch.schema.names, STRICTEST))


def main() -> int:
    """Prints the comparison and returns 0 when the claim holds."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("SECURE_ML_DATASETS", default)) / "adult.csv.gz"
    if not path.exists():
        return skip(CLAIM, reason="adult.csv.gz is not there; set SECURE_ML_DATASETS to the folder that holds it")
    table = pd.read_csv(path, keep_default_na=False)
    train, test = table[table["split"] == "train"], table[table["split"] == "test"]
    truth = (test["income"] == ">50K").to_numpy()
    rows: list[tuple[str, float, float, float]] = []

    start = time.perf_counter()
    numbers, texts = make_pipeline(StandardScaler()), OneHotEncoder(handle_unknown="ignore")
    peer = make_pipeline(
        make_column_transformer((numbers, list(BINS)), (texts, TEXTS)), LogisticRegression(max_iter=1000)
    )
    peer.fit(train, train["income"] == ">50K")
    rows.append(_row("logistic regression, no privacy", truth, peer.predict_proba(test)[:, 1], start))

    declared, batch = policy(table), pa.RecordBatch.from_pandas(test, preserve_index=False)
    for number in range(FITS):
        start = time.perf_counter()
        model = DpAdditiveEstimator().fit(
            dataset(train), policy=declared, subject_key=bytes(32), privacy_loss=PrivacyLoss(EPSILON, DELTA)
        )
        rows.append(_row(f"dp_additive, epsilon 1, fit {number + 1}", truth, model.predict_probability(batch), start))
    auc, accuracy = (float(np.mean([row[i] for row in rows[1:]])) for i in (1, 2))
    shown = [*rows, ("dp_additive, mean", auc, accuracy, float(np.mean([row[3] for row in rows[1:]])))]
    result = Result(
        claim=CLAIM,
        ours=round(auc, 4),
        peer=round(rows[0][1], 4),
        unit="AUC (peer: logistic regression without privacy)",
        ratio=round(auc / rows[0][1], 4),
        goal=f"AUC >= {MINIMUM_AUC}, accuracy >= {MINIMUM_ACCURACY}",
        holds=auc >= MINIMUM_AUC and accuracy >= MINIMUM_ACCURACY,
        more={"accuracy": round(accuracy, 4)},
    )
    table = [[name, f"{a:.4f}", f"{b:.4f}", f"{seconds:.2f}"] for name, a, b, seconds in shown]
    return report(result, header=["model", "AUC", "accuracy", "seconds"], rows=table)


def _row(name: str, truth: np.ndarray, predicted: np.ndarray, start: float) -> tuple[str, float, float, float]:
    seconds = time.perf_counter() - start
    return name, float(roc_auc_score(truth, predicted)), float(accuracy_score(truth, predicted > 0.5)), seconds


if __name__ == "__main__":
    sys.exit(main())
