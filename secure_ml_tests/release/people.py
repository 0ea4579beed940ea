"""A candidate learned from invented people, and the manifests that its lineage would have."""

from dataclasses import replace
from decimal import Decimal
from functools import cache

import pyarrow as pa

from secure_ml.policy.project import Policy
from secure_ml.privacy.charge import Charge, Spent
from secure_ml.release.candidate import train_candidate
from secure_ml.training.split import split
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.labels import PUBLIC
from secure_ml.vault.manifest import Address, Manifest, Part
from secure_ml_tests.training.people import KEY, dataset, people, policy

PERIODS = ("p1", "p2", "p3")
CREATED = "2031-05-01T09:30:00+00:00"


def private_policy() -> Policy:
    """A policy that pays for a candidate and for its backtest."""
    return policy(backtest={"periods": 1, "epsilon": "0.5"})


def charge(*, epsilon: Decimal, delta: Decimal, description: str) -> Charge:
    return Charge("charge-7", "training/people", epsilon, delta, Spent(epsilon, delta), 7)


def train_side(rule: Policy) -> Dataset:
    made = split({period: dataset(people(60, seed=i)) for i, period in enumerate(PERIODS)}, rule, subject_key=KEY)
    return replace(made, origins=("split-id",))


@cache
def private_candidate() -> Dataset:
    """What `trained` stores under `private_policy`."""
    rule = private_policy()
    return train_candidate(train_side(rule), rule, periods=PERIODS, subject_key=KEY, charge=charge)


def manifest(
    stage: str, partition: str = "", *, created: str = CREATED, sides: dict[str, int] | None = None
) -> Manifest:
    """A version of a stage; `sides` are the rows of its parts."""
    parts = [
        Part(side, 0, f"{side}-0000.parquet", 10, "01" * 32, rows) for side, rows in (sides or {"data": 9}).items()
    ]
    schema = pa.schema([pa.field("person", pa.string())])
    return Manifest(
        address=Address("training", "people", stage, partition), version_id=f"{stage}{partition}-id", sequence=1,
        digest="ab" * 32, rows=sum(part.rows for part in parts), schema=schema, labels={"person": PUBLIC}, parents=(),
        policy_digest="cd" * 32, parts=tuple(parts), summary={}, run_id="run-of-training", created=created,
    )  # fmt: skip
