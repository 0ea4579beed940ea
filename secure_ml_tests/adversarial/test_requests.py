"""Whoever speaks to the kernel directly, past the door, gets no more than the door would give; and the log has it."""

import getpass
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from secure_ml.access.stages import Stage
from secure_ml.access.tickets import TICKET_TTL, issue
from secure_ml.keys.signing import SigningKey
from secure_ml.vault import messages as m
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.labels import STRICTEST
from secure_ml_tests.fakes.small_project import ENVIRONMENT, HEADER, PROJECT, SmallProject

NOW = datetime(2031, 5, 1, tzinfo=UTC)
WHERE = {"environment": ENVIRONMENT, "project": PROJECT}


def ticket(project: SmallProject, run_id: str = "run-1", **where: str) -> m.TicketIssued:
    answer = project.kernel.send(m.IssueTicket(**{**WHERE, **where}, run_id=run_id, stages=tuple(Stage)))
    assert isinstance(answer, m.TicketIssued)
    return answer


def open_raw(project: SmallProject, held: m.TicketIssued, **changes: object) -> m.VersionOpened:
    asked = {"by": Stage.MASKED, "stage": Stage.RAW, "partition": "", "columns": (), "sections": (), "assess": False}
    answer = project.kernel.send(m.OpenVersion.model_validate({"ticket": held, **WHERE, **asked, **changes}))
    assert isinstance(answer, m.VersionOpened)
    return answer


def release(project: SmallProject, held: m.TicketIssued, version_id: str, **changes: object) -> m.KeysReleased:
    asked = {
        "by": Stage.MASKED, "stage": Stage.RAW, "partition": "", "version_id": version_id, "columns": ("income",),
        "sections": (), "assess": False,
    }  # fmt: skip
    answer = project.kernel.send(m.ReleaseKeys.model_validate({"ticket": held, **WHERE, **asked, **changes}))
    assert isinstance(answer, m.KeysReleased)
    return answer


def head_of(project: SmallProject) -> str:
    (manifest,) = project.installation.versions.heads(environment=ENVIRONMENT, project=PROJECT)
    return manifest.version_id


def refused_last(project: SmallProject, action: str) -> str:
    entry = project.log(action)[-1]
    assert entry.outcome == "refused"
    return entry.reason or ""


def test_a_ticket_whose_body_was_changed_is_refused_and_the_refusal_logged(checked_project: SmallProject) -> None:
    held = ticket(checked_project)
    forged = m.TicketIssued(body=held.body.replace(b"run-1", b"run-2"), signature=held.signature)
    with pytest.raises(AccessRefused, match="signature"):
        open_raw(checked_project, forged)
    assert "signature" in refused_last(checked_project, "version.open")
    assert checked_project.log("version.open")[-1].actor == "unverified"


def test_a_ticket_of_another_installation_is_refused(checked_project: SmallProject) -> None:
    signer = SigningKey.from_seed(os.urandom(32), name="secure_ml")
    foreign = issue(
        actor="os-user:mallory",
        run_id="run-1",
        stages=tuple(Stage),
        holder=getpass.getuser(),
        now=datetime.now(UTC),
        signer=signer,
        **WHERE,
    )
    with pytest.raises(AccessRefused):
        open_raw(checked_project, m.TicketIssued(body=foreign.unverified_body, signature=foreign.signature))
    refused_last(checked_project, "version.open")


def test_a_signed_statement_of_another_kind_is_no_ticket(checked_project: SmallProject) -> None:
    held = ticket(checked_project)
    signature = checked_project.installation.signing_key.sign(held.body, kind="verdict.v1")
    with pytest.raises(AccessRefused):
        open_raw(checked_project, m.TicketIssued(body=held.body, signature=signature))


def test_an_expired_ticket_is_refused_and_the_refusal_logged(checked_project: SmallProject) -> None:
    moment = [NOW]
    project = checked_project.reopened(clock=lambda: moment[0])
    held = ticket(project)
    moment[0] = NOW + TICKET_TTL - timedelta(seconds=1)
    open_raw(project, held)
    moment[0] = NOW + TICKET_TTL
    with pytest.raises(AccessRefused, match="expired"):
        open_raw(project, held)
    assert "expired" in refused_last(project, "version.open")


def test_a_ticket_of_another_environment_is_refused(checked_project: SmallProject) -> None:
    held = ticket(checked_project, environment="production")
    with pytest.raises(AccessRefused, match="another environment"):
        open_raw(checked_project, held)
    refused_last(checked_project, "version.open")


def test_keys_are_released_only_for_what_this_run_has_opened(checked_project: SmallProject) -> None:
    held, other = ticket(checked_project), ticket(checked_project, "run-2")
    version_id = head_of(checked_project)
    with pytest.raises(AccessRefused, match="open it first"):
        release(checked_project, held, version_id)
    open_raw(checked_project, held)
    assert len(release(checked_project, held, version_id).keys) == 2 * 3
    for changes in ({"ticket": other}, {"by": Stage.CLASSIFIED}, {"by": Stage.RAW, "assess": True}):
        with pytest.raises(AccessRefused, match="open it first"):
            release(checked_project, held, version_id, **changes)
    assert "open it first" in refused_last(checked_project, "version.read")


def test_keys_of_another_environments_version_are_refused(checked_project: SmallProject) -> None:
    door = checked_project.door(environment="production")
    door.write(Stage.RAW, "", checked_project.receive(door=door))
    held = ticket(checked_project)
    open_raw(checked_project, held)
    (foreign,) = checked_project.installation.versions.heads(environment="production", project=PROJECT)
    with pytest.raises(AccessRefused):
        release(checked_project, held, foreign.version_id)


def test_keys_of_a_superseded_version_are_refused_to_a_run_that_did_not_open_it(checked_project: SmallProject) -> None:
    older = head_of(checked_project)
    checked_project.write_raw()
    checked_project.pass_checks(Stage.RAW)
    held = ticket(checked_project)
    open_raw(checked_project, held)
    with pytest.raises(AccessRefused, match="open it first"):
        release(checked_project, held, older)


def test_a_run_that_opened_a_version_keeps_it_when_a_newer_one_comes(checked_project: SmallProject) -> None:
    dataset = checked_project.door().open(Stage.RAW, "", by=Stage.MASKED)
    newer = checked_project.write_raw()
    assert dataset.origins != (newer.version_id,)
    assert dataset.read().num_rows == 60


@pytest.mark.parametrize("column", ["full_name", "email", "birth_date"])
def test_a_dropped_column_is_refused_to_masked(checked_project: SmallProject, column: str) -> None:
    held = ticket(checked_project)
    open_raw(checked_project, held)
    with pytest.raises(AccessRefused, match=column):
        release(checked_project, held, head_of(checked_project), columns=("income", column))
    assert column in refused_last(checked_project, "version.read")


def test_only_the_keys_of_the_asked_columns_are_released(checked_project: SmallProject) -> None:
    held = ticket(checked_project)
    open_raw(checked_project, held)
    keys = release(checked_project, held, head_of(checked_project), columns=("income", "diagnosis")).keys
    assert {key_id.rsplit("/", 1)[1] for key_id in keys} == {"footer", "income", "diagnosis"}


def begin(project: SmallProject, held: m.TicketIssued, **changes: object) -> m.WriteBegun:
    asked = {
        "stage": Stage.RAW, "partition": "", "categories": (STRICTEST.key_category,), "sections": ("data",),
        "buckets": 1,
    }  # fmt: skip
    answer = project.kernel.send(m.BeginWrite.model_validate({"ticket": held, **WHERE, **asked, **changes}))
    assert isinstance(answer, m.WriteBegun)
    return answer


def commit(project: SmallProject, held: m.TicketIssued, begun: m.WriteBegun, **changes: object) -> None:
    part = m.PartWritten(section="data", bucket=0, file="data-0000.parquet", size_bytes=1, sha256="00", rows=0)
    asked = {
        "stage": Stage.RAW, "partition": "", "version_id": begun.version_id, "digest": "00",
        "schema_ipc": pa.schema([pa.field(name, pa.string()) for name in HEADER]).serialize().to_pybytes(),
        "labels": dict.fromkeys(HEADER, STRICTEST.to_json()),
        "parents": (), "parts": (part,), "summary": {},
    }  # fmt: skip
    project.kernel.send(m.CommitWrite.model_validate({"ticket": held, **WHERE, **asked, **changes}))


def test_a_write_is_committed_or_abandoned_only_by_the_run_that_began_it(checked_project: SmallProject) -> None:
    held, other = ticket(checked_project), ticket(checked_project, "run-2")
    begun = begin(checked_project, held)
    with pytest.raises(AccessRefused, match="begun by this run"):
        commit(checked_project, other, begun)
    refused_last(checked_project, "version.commit")
    place = {"stage": Stage.RAW, "partition": "", "version_id": begun.version_id, "error": "x"}
    with pytest.raises(AccessRefused, match="begun by this run"):
        checked_project.kernel.send(m.AbandonWrite.model_validate({"ticket": other, **WHERE, **place}))
    refused_last(checked_project, "version.abandon")
    commit(checked_project, held, begun)


def test_a_committed_version_cannot_be_abandoned(checked_project: SmallProject) -> None:
    held = ticket(checked_project)
    begun = begin(checked_project, held)
    commit(checked_project, held, begun)
    place = {"stage": Stage.RAW, "partition": "", "version_id": begun.version_id, "error": "x"}
    with pytest.raises(AccessRefused):
        checked_project.kernel.send(m.AbandonWrite.model_validate({"ticket": held, **WHERE, **place}))


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../../../elsewhere.parquet"},
        {"file": "data-0001.parquet"},
        {"bucket": 1, "file": "data-0001.parquet"},
        {"section": "test", "file": "test-0000.parquet"},
    ],
    ids=str,
)
def test_parts_other_than_those_begun_are_not_committed(
    checked_project: SmallProject, change: dict[str, object]
) -> None:
    held = ticket(checked_project)
    begun = begin(checked_project, held)
    part = {"section": "data", "bucket": 0, "file": "data-0000.parquet", "size_bytes": 1, "sha256": "00", "rows": 0}
    with pytest.raises(AccessRefused, match="parts"):
        commit(checked_project, held, begun, parts=({**part, **change},))
    with pytest.raises(AccessRefused, match="parts"):
        commit(checked_project, held, begun, parts=())
    refused_last(checked_project, "version.commit")


LABEL = {"categories": ["pii"], "entity": "none", "identifiability": "none"}


@pytest.mark.parametrize(
    "label",
    [
        {},
        {**LABEL, "categories": "pii"},
        {**LABEL, "categories": []},
        {**LABEL, "categories": ["harmless"]},
        {**LABEL, "entity": "nobody"},
        {**LABEL, "entity": ["none"]},
        {**LABEL, "identifiability": "not at all"},
        {"categories": ["pii"], "entity": "none"},
    ],
    ids=str,
)
def test_what_is_no_label_is_refused_and_the_refusal_logged(
    checked_project: SmallProject, label: dict[str, object]
) -> None:
    held = ticket(checked_project)
    begun = begin(checked_project, held)
    with pytest.raises(AccessRefused, match=r"categor(y|ies)"):
        commit(checked_project, held, begun, labels={"region": label})
    refused_last(checked_project, "version.commit")


@pytest.mark.parametrize("labels", [{}, {"region": LABEL}, dict.fromkeys((*HEADER, "more"), LABEL)], ids=str)
def test_labels_of_other_columns_than_the_schemas_are_refused(
    checked_project: SmallProject, labels: dict[str, object]
) -> None:
    held = ticket(checked_project)
    begun = begin(checked_project, held)
    with pytest.raises(AccessRefused, match="every label a column"):
        commit(checked_project, held, begun, labels=labels)
    refused_last(checked_project, "version.commit")


@pytest.mark.parametrize("schema", [b"", b"no schema", b"\xff" * 64], ids=str)
def test_what_is_no_schema_is_refused_and_the_refusal_logged(checked_project: SmallProject, schema: bytes) -> None:
    held = ticket(checked_project)
    begun = begin(checked_project, held)
    with pytest.raises(AccessRefused, match="schema"):
        commit(checked_project, held, begun, schema_ipc=schema)
    refused_last(checked_project, "version.commit")


def test_raw_is_not_committed_under_weaker_labels_than_the_policys(checked_project: SmallProject) -> None:
    door = checked_project.door()
    received = checked_project.receive(door=door)
    name = received.labels["full_name"]
    weaker = {**received.labels, "full_name": replace(name, identifiability=received.labels["region"].identifiability)}
    with pytest.raises(AccessRefused, match="full_name"):
        door.write(Stage.RAW, "", replace(received, labels=weaker))
    assert checked_project.log("version.abandon")[-1].details["error"] == "AccessRefused"


@pytest.mark.parametrize("partition", ["../../../../tmp/x", "a/b", ".", "a.b", "a b", "_", "x" * 65, "a\x00"])
def test_a_partition_key_that_could_name_another_folder_is_refused(
    checked_project: SmallProject, partition: str
) -> None:
    door = checked_project.door()
    for ask in (
        lambda: door.open(Stage.RAW, partition, by=Stage.MASKED),
        lambda: door.receive(partition, folder=checked_project.folder, environ={}),
        lambda: door.assess(Stage.RAW, partition),
    ):
        with pytest.raises(AccessRefused, match="partition key"):
            ask()


@pytest.mark.parametrize(
    "change",
    [
        {"buckets": 1_000_000_000},
        {"buckets": 2},
        {"buckets": 0},
        {"categories": ("harmless",)},
        {"categories": ("pii", "pii")},
        {"categories": tuple(f"pii_{n}" for n in range(100_000))},
    ],
    ids=["a billion buckets", "two", "none", "unknown", "twice", "many"],
)
def test_a_write_gets_no_more_keys_than_a_version_can_need(
    checked_project: SmallProject, change: dict[str, object]
) -> None:
    held = ticket(checked_project)
    with pytest.raises(AccessRefused):
        begin(checked_project, held, **change)
    refused_last(checked_project, "version.write")
