"""Hostile code puts a person's value wherever a manifest has room for text: nothing of it is kept in clear."""

import pyarrow as pa
import pytest
from pydantic import ValidationError

from secure_ml.access.stages import Stage
from secure_ml.vault import messages as m
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.labels import STRICTEST
from secure_ml_tests.fakes.small_project import ENVIRONMENT, HEADER, PROJECT, SmallProject

CANARY = "Zorblax Quillfeather 98765"
PART = {"section": "data", "bucket": 0, "file": "data-0000.parquet", "size_bytes": 1, "sha256": "00", "rows": 0}


def schema(*names: str) -> bytes:
    return pa.schema([pa.field(name, pa.string()) for name in names]).serialize().to_pybytes()


def labels(*names: str) -> dict[str, object]:
    return dict.fromkeys(names, STRICTEST.to_json())


def head_of(project: SmallProject) -> str:
    (manifest,) = project.installation.versions.heads(environment=ENVIRONMENT, project=PROJECT)
    return manifest.version_id


def commit(project: SmallProject, **changes: object) -> None:
    where = {"environment": ENVIRONMENT, "project": PROJECT}
    ticket = project.kernel.send(m.IssueTicket(**where, run_id="hostile", stages=tuple(Stage)))
    place = {"ticket": ticket, **where, "stage": Stage.RAW, "partition": ""}
    asked = {"categories": (STRICTEST.key_category,), "sections": ("data",), "buckets": 1}
    begun = project.kernel.send(m.BeginWrite.model_validate({**place, **asked}))
    written = {
        "version_id": begun.version_id, "digest": "00", "schema_ipc": schema(*HEADER), "labels": labels(*HEADER),
        "parents": (), "parts": (PART,), "summary": {},
    }  # fmt: skip
    project.kernel.send(m.CommitWrite.model_validate({**place, **written, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"summary": {CANARY: 1}},
        {"summary": {"note": CANARY}},
        {"summary": {"rows_read": int.from_bytes(CANARY.encode())}},
        {"digest": CANARY},
        {"parts": ({**PART, "sha256": CANARY},)},
        {"parts": ({**PART, "file": CANARY},)},
        {"parts": ({**PART, "section": CANARY},)},
        {"parents": (CANARY,)},
        {"schema_ipc": schema(*HEADER, CANARY), "labels": labels(*HEADER, CANARY)},
        {"labels": {**labels(*HEADER), "income": {**STRICTEST.to_json(), "entity": CANARY}}},
    ],
    ids=range(10),
)
def test_a_persons_value_gets_into_no_manifest_and_no_log(
    checked_project: SmallProject, changes: dict[str, object]
) -> None:
    before = head_of(checked_project)
    with pytest.raises((AccessRefused, ValidationError)) as refused:
        commit(checked_project, **changes)
    assert CANARY not in str(refused.value)
    assert head_of(checked_project) == before
    home = checked_project.installation.settings.home
    kept = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert b"hostile" in kept
    assert CANARY.encode() not in kept
    assert str(int.from_bytes(CANARY.encode())).encode() not in kept


def test_the_same_version_without_the_value_is_committed(checked_project: SmallProject) -> None:
    before = head_of(checked_project)
    commit(checked_project)
    assert head_of(checked_project) != before
