"""A candidate model as artefacts: the model, its backtest's twin, and what must be told about how they were made.

Belongs here: which files make up `trained`, and reading them back. Must stay out: training and measuring.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from secure_ml.access.stages import ONE_PIECE, Stage
from secure_ml.policy.project import Policy
from secure_ml.training.estimators.port import TrainedModel
from secure_ml.training.model_file import content_digest, load, save
from secure_ml.training.train import ChargeBudget, Training, train
from secure_ml.vault.artefacts import artefacts, read_artefacts
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.labels import join
from secure_ml.vault.manifest import Manifest

_TWIN = "backtest/"
_RECORD = "training.json"
_FORMAT = "secure_ml/training/1"


class CandidateError(Exception):
    """A stored candidate that cannot be read; the text says what to do."""


@dataclass(frozen=True)
class Candidate:
    """What `trained` holds.

    Attributes:
        model: the candidate.
        twin: the model of the earlier periods; None without a backtest.
        held_out: the later periods, which the twin has not seen.
        periods: all periods that were trained on, in time order.
        digest: of the candidate's content.
        charge_id: the ledger's entry that paid for it; "" without privacy.
    """

    model: TrainedModel
    twin: TrainedModel | None
    held_out: tuple[str, ...]
    periods: tuple[str, ...]
    digest: str
    charge_id: str


def train_candidate(
    training_side: Dataset, policy: Policy, *, periods: Sequence[str], subject_key: bytes, charge: ChargeBudget
) -> Dataset:
    """Trains on the train side and packs what came of it. The budget is charged before a row is learned from.

    Args:
        training_side: the train side of the split, and no other.
        policy: algorithm, privacy, backtest.
        periods: the split's periods in time order; see `periods_of`.
        subject_key: chooses one row a subject.
        charge: the ledger, bound to this run.
    """
    training = train(training_side, policy, periods=periods, subject_key=subject_key, charge=charge)
    # A model learned from people is data about them: it keeps the label of all that it read.
    label = join(training_side.labels.values())
    return artefacts(
        _files(training, periods), label=label, origins=training_side.origins, summary=_summary(training, periods)
    )


def periods_of(lineage: Sequence[Manifest], known: Sequence[str]) -> tuple[str, ...]:
    """The periods that a split was made from, in time order.

    They are told by manifests and not by rows: no row is read before its cost is charged.

    Args:
        lineage: manifests of the split and its ancestors.
        known: the policy's partition keys in time order.
    """
    masked = {manifest.address.partition for manifest in lineage if manifest.address.stage == Stage.MASKED}
    return tuple(partition or ONE_PIECE for partition in known if partition in masked)


def read_candidate(trained: Dataset) -> Candidate:
    """The candidate in a version of `trained`.

    Raises:
        CandidateError: it is of another format.
        ModelFileError: a model is damaged or holds an untrusted type.
    """
    files = read_artefacts(trained)
    record = json.loads(files.pop(_RECORD, b"{}"))
    if record.get("format") != _FORMAT:
        raise CandidateError(f"this candidate is not of the format {_FORMAT}; train it again")
    twin = {name.removeprefix(_TWIN): content for name, content in files.items() if name.startswith(_TWIN)}
    model = {name: content for name, content in files.items() if not name.startswith(_TWIN)}
    return Candidate(
        load(model),
        load(twin) if twin else None,
        tuple(record["held_out"]),
        tuple(record["periods"]),
        record["digest"],
        record["charge_id"],
    )


def _summary(training: Training, periods: Sequence[str]) -> dict[str, int | float | str]:
    facts = training.model.facts
    told = {
        "estimator": facts.estimator,
        "guarantee": facts.guarantee,
        "epsilon": facts.epsilon,
        "delta": facts.delta,
        "unit": facts.unit,
        "first_period": periods[0] if periods else "",
        "last_period": periods[-1] if periods else "",
    }
    return {name: value for name, value in told.items() if value}


def _files(training: Training, periods: Sequence[str]) -> dict[str, bytes]:
    files = save(training.model)
    if training.backtest is not None:
        files |= {_TWIN + name: content for name, content in save(training.backtest).items()}
    record = {
        "format": _FORMAT,
        "held_out": training.held_out,
        "periods": periods,
        "digest": content_digest(training.model),
        "charge_id": training.charge.charge_id if training.charge is not None else "",
    }
    files[_RECORD] = json.dumps(record, sort_keys=True).encode()
    return files
