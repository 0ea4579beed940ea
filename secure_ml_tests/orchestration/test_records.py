"""Dagster's records before they are stored: texts lose values, names stay or are refused, the rest is the same."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.errors import DagsterAssetCheckFailedError, DagsterError
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._serdes import serialize_value
from dagster._utils.error import serializable_error_info_from_exc_info

from secure_ml.orchestration.names import NameRefused, vocabulary
from secure_ml.orchestration.records import safe_record, safe_snapshot, safe_tags, safe_text
from secure_ml.orchestration.resources import TICKET_TAG, ticket_tag
from secure_ml.vault.errors import VaultError
from secure_ml.vault.messages import TicketIssued

EMAIL, PHONE, PAN, NAME = "zorblax@invented.example", "98765 01234", "ABCPE1234F", "Zorblax Quillfeather"
SAID = f"call {PHONE} or {EMAIL}"
DIGEST = "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a"
VERSION = "9c1f0b7ad2e84f55a3c2e1d0b9f8a7c6"


@pytest.fixture(autouse=True)
def _no_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURE_ML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SECURE_ML_KEYS", str(tmp_path / "keys"))
    vocabulary.cache_clear()


def entry(made: dg.AssetMaterialization, **of: Any) -> EventLogEntry:
    """The event of a materialisation, as a step reports it."""
    data = StepMaterializationData(made, [])
    event = DagsterEvent(
        "ASSET_MATERIALIZATION", "loans__protect", event_specific_data=data, message=of.pop("said", "")
    )
    named = {"run_id": "1f895b61-4f3b-4084-9e6a-1e92e9355068", "step_key": "training__loans__raw", **of}
    return EventLogEntry(
        error_info=None, level=20, user_message="", timestamp=1795503980.7, job_name="a", dagster_event=event, **named
    )


def test_a_record_without_a_value_is_the_same_object() -> None:
    made = dg.AssetMaterialization(
        ["training", "loans", "raw"],
        partition="2024-10",
        description="24,000 rows in 12 parts",
        metadata={
            "version": VERSION,
            "digest": DIGEST,
            "rows": 24_000,
            "auc": 0.9103,
            "run": dg.MetadataValue.dagster_run("1f895b61-4f3b-4084-9e6a-1e92e9355068"),
            "when": dg.MetadataValue.timestamp(1795503980.7),
            "schema": dg.MetadataValue.table_schema(dg.TableSchema([dg.TableColumn("aadhaar", tags={"a": "b"})])),
            "none": None,
        },
        tags={"dagster/data_version": DIGEST, "dagster/code_version": "0.1.0"},
    )
    record = entry(made)
    assert safe_record(record) is record


def test_every_text_of_a_materialisation_loses_its_values_and_keeps_its_place() -> None:
    made = dg.AssetMaterialization(
        "raw",
        description=SAID,
        metadata={
            "text": SAID,
            PHONE: "a key",
            "markdown": dg.MetadataValue.md(SAID),
            "json": {"people": [{PHONE: EMAIL, "phone": 9876501234}], "rows": 3},
            "integer": 9876501234,
            "fraction": 9876501234.5,
            "table": dg.MetadataValue.table([dg.TableRecord({"who": EMAIL, "phone": 9876501234, "rows": 3})]),
            "schema": dg.MetadataValue.table_schema(dg.TableSchema([dg.TableColumn(EMAIL, "string", SAID)])),
        },
        tags={"pan": PAN},
    )
    safe = safe_record(entry(made, said=SAID))
    stored = serialize_value(safe)

    assert not [value for value in (EMAIL, PHONE, PAN, "9876501234") if value in stored]
    event = safe.dagster_event
    assert event is not None
    shown = event.step_materialization_data.materialization
    assert event.message == shown.description == "call [number] or [email]"
    assert shown.metadata["text"] == dg.MetadataValue.text("call [number] or [email]")
    assert shown.metadata["[number]"] == dg.MetadataValue.text("a key")
    assert shown.metadata["json"].value == {"people": [{"[number]": "[email]", "phone": "[number]"}], "rows": 3}
    assert shown.metadata["integer"] == shown.metadata["fraction"] == dg.MetadataValue.text("[number]")
    (row,) = shown.metadata["table"].records  # type: ignore[union-attr]
    assert row.data == {"who": "[email]", "phone": "[number]", "rows": 3}
    assert shown.tags == {"pan": "pan"}


@pytest.mark.parametrize(
    ("made", "of"),
    [
        (dg.AssetMaterialization(["people", EMAIL]), {}),
        (dg.AssetMaterialization("raw", partition=PHONE), {}),
        (dg.AssetMaterialization("raw", partition=NAME), {}),
        (dg.AssetMaterialization("raw", tags={"dagster/data_version": PAN}), {}),
        (dg.AssetMaterialization("raw"), {"step_key": "step[9876501234]"}),
    ],
    ids=["asset", "partition", "partition with a space", "data version", "step"],
)
def test_a_name_that_looks_like_a_value_is_refused(made: dg.AssetMaterialization, of: dict[str, str]) -> None:
    with pytest.raises(NameRefused) as refused:
        safe_record(entry(made, **of))
    assert not [value for value in (EMAIL, PHONE, PAN, NAME) if value in str(refused.value)]


def stored_error(error: BaseException) -> dict[str, Any]:
    try:
        raise error
    except BaseException:  # noqa: BLE001 - any error is stored
        info = serializable_error_info_from_exc_info(sys.exc_info())
    packed: dict[str, Any] = json.loads(serialize_value(safe_record(info)))
    return packed


def test_an_error_keeps_its_class_and_its_places_and_loses_text_and_source_lines() -> None:
    error = ValueError(NAME)
    error.__cause__ = KeyError(NAME)
    stored = stored_error(error)

    assert "Zorblax" not in json.dumps(stored)
    assert (stored["cls_name"], stored["cause"]["cls_name"]) == ("ValueError", "KeyError")
    assert stored["message"].startswith("ValueError: its text is left out")
    assert all(frame.startswith('  File "') and frame.count("\n") == 1 for frame in stored["stack"])


@pytest.mark.parametrize(
    "error",
    [VaultError("the part is short"), dg.Failure("the part is short")],
)
def test_an_error_that_was_written_for_people_keeps_its_words(error: BaseException) -> None:
    assert "the part is short" in stored_error(error)["message"]


SOUND = dg.AssetCheckSpec("sound", asset="people", blocking=True)
AS_DAGSTER_SAYS = "1 blocking asset check failed with ERROR severity:\npeople: Quillfeather"


class Careless(Exception):
    """Of a project."""


class OfTheSameName(DagsterError):
    """Of a project, too."""


OfTheSameName.__name__ = OfTheSameName.__qualname__ = DagsterAssetCheckFailedError.__name__


def failed_step(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> str:
    """What is stored of a step whose blocking check fails, and which then raises an error of its own."""
    monkeypatch.setenv("DAGSTER_REDACT_USER_CODE_ERRORS", "1")

    @dg.asset(check_specs=[SOUND])
    def people() -> Iterator[dg.AssetCheckResult | dg.Output[None]]:
        yield dg.Output(None)
        yield dg.AssetCheckResult(passed=False)
        if error is not None:
            raise error

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([people], instance=instance, raise_on_error=False)
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return serialize_value(safe_record(failure))


def test_a_blocking_check_that_failed_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    told = failed_step(monkeypatch, None)
    assert "1 blocking asset check failed with ERROR severity:\\npeople: sound\\n" in told


@pytest.mark.parametrize("kind", [Careless, OfTheSameName, DagsterAssetCheckFailedError])
def test_an_error_of_a_project_beside_a_failed_check_is_not_told(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    told = failed_step(monkeypatch, kind(AS_DAGSTER_SAYS))
    assert "Quillfeather" not in told
    assert "blocking" not in told


def test_an_error_that_only_has_the_class_of_a_failed_check_is_not_told() -> None:
    for text in (NAME, f"1 blocking asset check failed with ERROR severity:\n{NAME}: sound", f"1 {SAID}"):
        assert "Zorblax" not in json.dumps(stored_error(DagsterAssetCheckFailedError(text)))


def test_words_for_people_are_redacted_too() -> None:
    assert SAID not in json.dumps(stored_error(dg.Failure(SAID)))


def test_tags_for_people_are_redacted_and_those_of_dagster_are_names() -> None:
    tags = {
        "contact": SAID,
        EMAIL: "a",
        "dagster/partition": "2024-10",
        ".dagster/repository": "__repository__@training",
    }
    assert safe_tags(tags) == {
        "contact": "call number or email",
        "email": "a",
        "dagster/partition": "2024-10",
        ".dagster/repository": "__repository__@training",
    }
    for tag in ("dagster/partition", "dagster/run_key", "dagster/partition/region"):
        with pytest.raises(NameRefused):
            safe_tags({tag: EMAIL})


def test_a_ticket_stays_and_what_only_claims_to_be_one_goes() -> None:
    ticket = ticket_tag(TicketIssued(body=b"98765 01234", signature=b"98765 01234"))
    assert safe_tags({TICKET_TAG: ticket}) == {TICKET_TAG: ticket}
    assert safe_tags({TICKET_TAG: SAID}) == {TICKET_TAG: ""}


def test_a_picture_stays_and_its_text_does_not() -> None:
    assert safe_text("![a](data:text/plain;base64,Wm9yYmxheA==)") == "![a]([data])"


def test_what_code_declares_of_a_job_keeps_its_names() -> None:
    @dg.op(description=SAID, tags={"contact": EMAIL})
    def step_98765012345() -> None: ...

    @dg.job(description=SAID, metadata={"contact": SAID}, tags={"pan": PAN})
    def described() -> None:
        step_98765012345()

    snapshot = described.get_job_snapshot()
    stored = serialize_value(safe_snapshot(snapshot))

    assert not [value for value in (EMAIL, PHONE, PAN) if value in stored]
    assert "step_98765012345" in stored
    assert "call [number] or [email]" in stored
