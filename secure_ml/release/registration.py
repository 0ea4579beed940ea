"""Registering a candidate: its lineage, its card, its entry in the registry.

Belongs here: gathering what is told about a model. Must stay out: the registry's own client, and any data.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from secure_ml.access.stages import SIDES, Stage
from secure_ml.policy.project import Policy
from secure_ml.release.candidate import read_candidate
from secure_ml.release.model_card import CardFacts, model_card
from secure_ml.release.record import RegistrationRecord, StoredVersion
from secure_ml.release.registry import ModelRegistry
from secure_ml.release.validation import published_figures, read_evidence
from secure_ml.settings import NOT_PROTECTED, Profile
from secure_ml.vault.artefacts import artefacts
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.labels import declassify, join
from secure_ml.vault.manifest import Manifest

CARD = "model_card.md"
REGISTRATION = "registration.json"

_FORMAT = "secure_ml/registration/1"


@dataclass(frozen=True)
class Circumstances:
    """What a registration is told by its surroundings.

    Attributes:
        environment: the environment.
        run_id: the run that registers.
        actor: who started it.
        code_version: of the code that runs.
        environment_lock_digest: of the packages that it runs with.
        profile: protection profile of the installation.
        now: the time, with its zone.
    """

    environment: str
    run_id: str
    actor: str
    code_version: str
    environment_lock_digest: str
    profile: Profile
    now: datetime


def register_candidate(
    trained: Dataset,
    validated: Dataset,
    policy: Policy,
    *,
    lineage: Sequence[Manifest],
    circumstances: Circumstances,
    registry: ModelRegistry,
) -> Dataset:
    """Writes the model card and registers the candidate. Returns what `registered` stores.

    Args:
        trained: the candidate.
        validated: its evidence.
        policy: the project's policy.
        lineage: manifests of both and of all their ancestors.
        circumstances: who, where, when, with what.
        registry: where models are listed.

    Raises:
        RegistryError: the registry refused or cannot be reached; nothing is stored.
        CardError: model and evidence do not belong together.
    """
    candidate, evidence = read_candidate(trained), read_evidence(validated)
    facts = candidate.model.facts
    manifests = {Stage(m.address.stage): m for m in reversed(lineage)}
    model = _stored(manifests[Stage.TRAINED])
    datasets = [_stored(m) for m in lineage if m.address.stage != Stage.TRAINED]
    trained_at = datetime.fromisoformat(manifests[Stage.TRAINED].created)
    card = model_card(
        CardFacts(
            policy=policy,
            model=model,
            model_digest=candidate.digest,
            datasets=datasets,
            rows=_rows_by_side(manifests[Stage.SPLIT]),
            training=facts.to_json(),
            evaluation=evidence.evaluation,
            judgements=evidence.judgements(policy),
            started_by=circumstances.actor,
            trained_at=trained_at,
            code_version=circumstances.code_version,
            environment_lock_digest=circumstances.environment_lock_digest,
            profile=circumstances.profile,
            profile_limits=NOT_PROTECTED[circumstances.profile],
        )
    )
    record = RegistrationRecord(
        dagster_run_id=circumstances.run_id,
        model=model,
        datasets=datasets,
        algorithm=facts.estimator,
        hyperparameters=facts.hyperparameters,
        metrics={n: v for n, v in published_figures(evidence.evaluation).items() if isinstance(v, float)},
        policy_digest=policy.digest,
        code_version=circumstances.code_version,
        environment_lock_digest=circumstances.environment_lock_digest,
        started_by=circumstances.actor,
        trained_at=trained_at,
        registered_at=circumstances.now,
        model_card=card,
        evaluation=json.loads(evidence.evaluation.to_json()),
        figures=evidence.figures,
    )
    entry = registry.register(project=policy.project, environment=circumstances.environment, record=record)
    files = {CARD: card.encode(), REGISTRATION: json.dumps({"format": _FORMAT, **vars(entry)}, sort_keys=True).encode()}
    summary: dict[str, int | float | str] = {
        "registered_model": entry.name,
        "model_version": entry.version,
        "status": entry.status,
        "mlflow_run": entry.mlflow_run_id,
    }
    origins = (*trained.origins, *validated.origins)
    label = declassify(join([*trained.labels.values(), *validated.labels.values()]), by=model_card)
    return artefacts(files, label=label, origins=origins, summary=summary)


def _stored(manifest: Manifest) -> StoredVersion:
    return StoredVersion(manifest.address.stage, manifest.address.partition, manifest.version_id, manifest.digest)


def _rows_by_side(split: Manifest) -> dict[str, int]:
    return {side: sum(part.rows for part in split.parts if part.section == side) for side in SIDES}
