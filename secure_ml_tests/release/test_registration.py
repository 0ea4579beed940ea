import dataclasses
import json
from datetime import UTC, datetime

import pytest

from secure_ml.assessment.evaluation import Evaluation
from secure_ml.release.candidate import read_candidate
from secure_ml.release.errors import CardError
from secure_ml.release.record import RegistrationRecord, RegistryError, check
from secure_ml.release.registration import CARD, REGISTRATION, Circumstances, register_candidate
from secure_ml.release.validation import EVALUATION, FACTS
from secure_ml.settings import NOT_PROTECTED, Profile
from secure_ml.vault.artefacts import artefacts, read_artefacts
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.labels import PUBLIC
from secure_ml.vault.manifest import Manifest
from secure_ml_tests.assessment.whole import evaluation
from secure_ml_tests.fakes.noted_registry import NotedRegistry
from secure_ml_tests.release.people import manifest, private_candidate, private_policy

NOW = datetime(2031, 5, 2, 10, tzinfo=UTC)
CIRCUMSTANCES = Circumstances(
    "training", "run-of-registration", "os-user:meera", "1.2.3", "e" * 64, Profile.PERSONAL, NOW
)
SIDES = {"train": 4200, "validation": 900, "test": 903}
LINEAGE = [
    manifest("trained", created="2031-05-01T09:30:00+00:00"), manifest("validated"), manifest("split", sides=SIDES),
    manifest("masked", "p1"), manifest("masked", "p2"), manifest("classified", "p1"), manifest("raw", "p1"),
]  # fmt: skip
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def evidence(**changes: object) -> Dataset:
    """What `validated` stores of the candidate."""
    belonging = {"model_digest": read_candidate(private_candidate()).digest, "policy_digest": private_policy().digest}
    measured: Evaluation = evaluation().model_copy(update={"project": "people", **belonging, **changes})
    files = {EVALUATION: measured.to_json().encode(), FACTS: b"{}", "figures/calibration.png": PNG}
    return artefacts(files, label=PUBLIC, origins=("validated-id",), summary={})


def registered(
    registry: NotedRegistry, *, validated: Dataset | None = None, lineage: list[Manifest] = LINEAGE
) -> Dataset:
    return register_candidate(
        dataclasses.replace(private_candidate(), origins=("trained-id",)), validated or evidence(), private_policy(),
        lineage=lineage, circumstances=CIRCUMSTANCES, registry=registry,
    )  # fmt: skip


@pytest.fixture(scope="module")
def noted() -> tuple[RegistrationRecord, Dataset]:
    registry = NotedRegistry()
    stored = registered(registry)
    (record,) = registry.records
    return record, stored


def test_the_record_names_the_model_and_every_version_behind_it(noted: tuple[RegistrationRecord, Dataset]) -> None:
    record, _ = noted
    assert (record.model.stage, record.model.version_id, record.model.digest) == ("trained", "trained-id", "ab" * 32)
    assert [(version.stage, version.partition, version.version_id) for version in record.datasets] == [
        ("validated", "", "validated-id"), ("split", "", "split-id"), ("masked", "p1", "maskedp1-id"),
        ("masked", "p2", "maskedp2-id"), ("classified", "p1", "classifiedp1-id"), ("raw", "p1", "rawp1-id"),
    ]  # fmt: skip


def test_the_record_says_who_when_and_with_what(noted: tuple[RegistrationRecord, Dataset]) -> None:
    record, _ = noted
    assert (record.dagster_run_id, record.started_by) == ("run-of-registration", "os-user:meera")
    assert (record.code_version, record.environment_lock_digest) == ("1.2.3", "e" * 64)
    assert record.trained_at == datetime(2031, 5, 1, 9, 30, tzinfo=UTC)
    assert record.registered_at == NOW
    assert record.policy_digest == private_policy().digest


def test_the_record_says_how_it_was_learned_and_measured(noted: tuple[RegistrationRecord, Dataset]) -> None:
    record, _ = noted
    facts = read_candidate(private_candidate()).model.facts
    assert (record.algorithm, record.hyperparameters) == ("dp_additive", facts.hyperparameters)
    assert record.evaluation == json.loads(read_artefacts(evidence())[EVALUATION])
    assert record.metrics["auc"] == evaluation().performance.auc.value
    assert "equalized_odds_difference.colour" in record.metrics
    assert record.figures == {"calibration.png": PNG}


def test_a_suppressed_figure_is_no_metric() -> None:
    registry = NotedRegistry()
    hidden = evaluation().performance.model_copy(update={"auc": "suppressed"})
    registered(registry, validated=evidence(performance=hidden))
    assert "auc" not in registry.records[0].metrics
    assert all(isinstance(value, float) for value in registry.records[0].metrics.values())


def test_the_record_is_one_that_the_registry_takes(noted: tuple[RegistrationRecord, Dataset]) -> None:
    check(noted[0], project="people", environment="training")


def test_the_card_states_the_facts_of_manifests_and_circumstances(noted: tuple[RegistrationRecord, Dataset]) -> None:
    record, stored = noted
    card = read_artefacts(stored)[CARD].decode()
    assert card == record.model_card
    digest = read_candidate(private_candidate()).digest
    stated = (
        "os-user:meera",
        "2031-05-01",
        "1.2.3",
        "e" * 64,
        "trained-id",
        "maskedp2-id",
        digest,
        "4200",
        "900",
        "903",
    )
    assert [fact for fact in stated if fact not in card.replace("\\", "")] == []
    assert all(limit in card for limit in NOT_PROTECTED[Profile.PERSONAL])


def test_what_is_stored_is_the_registrys_entry_and_the_card(noted: tuple[RegistrationRecord, Dataset]) -> None:
    _, stored = noted
    files = read_artefacts(stored)
    assert set(files) == {CARD, REGISTRATION}
    assert json.loads(files[REGISTRATION]) == {
        "format": "secure_ml/registration/1", "name": "training.people", "version": 1, "mlflow_run_id": "0" * 32,
        "artifact_uri": "file:///artefacts/training.people", "status": "candidate",
    }  # fmt: skip
    assert stored.summary() == {
        "registered_model": "training.people", "model_version": 1, "status": "candidate", "mlflow_run": "0" * 32,
    }  # fmt: skip
    assert stored.origins == ("trained-id", "validated-id")
    assert set(stored.labels.values()) == {PUBLIC}


def test_of_two_versions_of_a_stage_in_the_lineage_the_first_counts() -> None:
    registry = NotedRegistry()
    older = dataclasses.replace(manifest("trained", created="2030-01-01T00:00:00+00:00"), version_id="older-id")
    registered(registry, lineage=[*LINEAGE, older])
    assert registry.records[0].model.version_id == "trained-id"
    assert registry.records[0].trained_at.year == 2031


@pytest.mark.parametrize(
    ("change", "says"), [({"model_digest": "0" * 64}, "another model"), ({"policy_digest": "0" * 64}, "another policy")]
)
def test_evidence_of_another_model_or_policy_reaches_no_registry(change: dict[str, object], says: str) -> None:
    registry = NotedRegistry()
    with pytest.raises(CardError, match=says):
        registered(registry, validated=evidence(**change))
    assert registry.records == []


def test_nothing_is_stored_when_the_registry_refuses() -> None:
    class Refusing(NotedRegistry):
        def register(self, **_: object) -> None:  # type: ignore[override]
            raise RegistryError("the registry cannot be reached; start it")

    with pytest.raises(RegistryError):
        registered(Refusing())
