"""What is told about a model when it is registered, and what must be true of it.

Belongs here: the record and its checks, without any registry. Must stay out: MLflow.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from secure_ml.guard.pictures import PictureError, drawn_only
from secure_ml.guard.redaction import Redactor

FIGURE_BYTES = 60 * 1024
"""Largest figure: a picture that is bigger shows single points, not an aggregate."""

# MLflow cuts longer values and writes their beginning into its log.
_TEXT_CHARACTERS = 5000
_PNG = b"\x89PNG\r\n\x1a\n"
_FIGURE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}\.png")
_RUN_ID = re.compile(r"[0-9A-Za-z-]{8,64}")
_PLACE = re.compile(r"[a-z][a-z0-9_]{0,47}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class RegistryError(Exception):
    """A model was not registered; the text says what to do and holds no value of a person."""


@dataclass(frozen=True)
class StoredVersion:
    """A version in the vault.

    Attributes:
        stage: the asset that it is a version of.
        partition: its partition's key; empty for none.
        version_id: its id.
        digest: SHA-256 of its canonical content, hexadecimal.
    """

    stage: str
    partition: str
    version_id: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class RegistrationRecord:
    """The facts of one registration.

    Attributes:
        dagster_run_id: the run that registers; at most one version is registered for each.
        model: the encrypted model in the vault.
        datasets: the versions it was made from and judged on.
        algorithm: the estimator's kind in the policy.
        hyperparameters: its settings; written as text.
        metrics: aggregates under disclosure control.
        policy_digest: SHA-256 of the policy.
        code_version: the project's version or commit.
        environment_lock_digest: SHA-256 of the lock file.
        started_by: who started the run.
        trained_at: with a time zone.
        registered_at: with a time zone.
        model_card: Markdown.
        evaluation: JSON values; aggregates under disclosure control.
        figures: PNG by file name.
    """

    dagster_run_id: str
    model: StoredVersion
    datasets: Sequence[StoredVersion]
    algorithm: str
    hyperparameters: Mapping[str, object]
    metrics: Mapping[str, float]
    policy_digest: str
    code_version: str
    environment_lock_digest: str
    started_by: str
    trained_at: datetime
    registered_at: datetime
    model_card: str
    evaluation: Mapping[str, object]
    figures: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def check(record: RegistrationRecord, *, project: str, environment: str) -> None:
    """Refuses a record that could not be found again, or that is no aggregate.

    Raises:
        RegistryError: names the field.
    """
    if not (_PLACE.fullmatch(project) and _PLACE.fullmatch(environment)):
        raise RegistryError("project and environment are lower-case letters, digits and '_'")
    if _RUN_ID.fullmatch(record.dagster_run_id) is None:
        raise RegistryError("dagster_run_id is not a run id; register from within a run")
    digests = [
        record.policy_digest,
        record.environment_lock_digest,
        *(v.digest for v in (record.model, *record.datasets)),
    ]
    if any(_DIGEST.fullmatch(digest) is None for digest in digests):
        raise RegistryError("a digest is not 64 hexadecimal characters; take it from the manifest")
    if not record.datasets:
        raise RegistryError("a model without dataset versions has no lineage; name those that it was made from")
    if record.trained_at.tzinfo is None or record.registered_at.tzinfo is None:
        raise RegistryError("trained_at and registered_at need a time zone")
    if not all(math.isfinite(value) for value in record.metrics.values()):
        raise RegistryError("a metric is not a finite number; leave out what could not be measured")
    texts = (record.algorithm, record.code_version, record.started_by, *map(str, record.hyperparameters.values()))
    if any(len(text) > _TEXT_CHARACTERS for text in texts):
        raise RegistryError(f"a parameter or tag is longer than {_TEXT_CHARACTERS} characters; name it by a digest")
    for name, content in record.figures.items():
        if _FIGURE_NAME.fullmatch(name) is None:
            raise RegistryError("a figure's name is lower-case letters, digits, '_' and '-', and ends in .png")
        if not content.startswith(_PNG) or len(content) > FIGURE_BYTES:
            raise RegistryError(f"the figure {name} is not a PNG of at most {FIGURE_BYTES} bytes")


def files(record: RegistrationRecord, *, redactor: Redactor) -> dict[str, bytes]:
    """The artefacts of a registration by path: card, evaluation, figures, and the reference that stands for the model.

    Raises:
        RegistryError: the evaluation holds something that is not JSON, or a figure is no whole PNG.
    """
    try:
        json.dumps(record.evaluation, allow_nan=False)
    except (TypeError, ValueError):
        raise RegistryError("the evaluation holds a value that JSON does not know; give numbers, text, lists") from None
    reference = {"format": 1, "version_id": record.model.version_id, "digest": record.model.digest, "encrypted": True}
    return {
        "model_card.md": redactor.redact(record.model_card).encode(),
        "evaluation.json": _json(redactor.redact_value(record.evaluation)),
        "model.reference.json": _json(reference),
        **{f"figures/{name}": _drawn(name, content) for name, content in record.figures.items()},
    }


def _drawn(name: str, content: bytes) -> bytes:
    try:
        return drawn_only(content)
    except PictureError as error:
        raise RegistryError(f"the figure {name} is no whole picture: {error}") from None


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
