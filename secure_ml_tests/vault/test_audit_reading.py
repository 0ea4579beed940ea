"""The log by message: page after page, only what was signed, and the reading is in it."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from secure_ml.access.actors import Actors
from secure_ml.access.directory import Appointed
from secure_ml.audit.log import AuditEvent, AuditLogTampered
from secure_ml.installation import Installation
from secure_ml.state.tables import audit_entries
from secure_ml.vault import audit_reading
from secure_ml.vault.audit_reading import AuditEntriesRead, ReadAuditEntries, read_audit_entries
from secure_ml.vault.errors import AccessRefused
from secure_ml_tests.fakes.json_kernel import JsonKernel
from secure_ml_tests.fakes.small_project import SmallProject, make_small_project


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    project = make_small_project(tmp_path).through(JsonKernel)
    for number in range(25):
        event = AuditEvent(
            "version.open", "training/clinic/raw", "allowed", "person:asha", "run-1", {"rows": number}, "why"
        )
        project.installation.log.record(event)
    return project


@pytest.mark.parametrize("page", [1_000, 7])
@pytest.mark.parametrize("start", [0, 9])
def test_the_log_is_read_to_its_end_whatever_the_pages(
    project: SmallProject, start: int, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_reading, "PAGE_ENTRIES", page)

    read = list(read_audit_entries(project.kernel, start=start))

    stored = list(project.installation.log.entries(start=start))
    assert read == [replace(entry, reason=None) for entry in stored]
    readings = [entry for entry in read if entry.action == "log.read"]
    assert 1 <= len(readings) <= len(read) // page + 1


def test_a_reading_is_in_the_log_before_and_is_the_last_entry_that_it_tells(project: SmallProject) -> None:
    size = project.installation.log.size()

    answer = project.kernel.send(ReadAuditEntries(start=20))

    assert isinstance(answer, AuditEntriesRead)
    last = answer.entries[-1]
    assert (answer.audit_index, last.entry_index, last.action, last.outcome) == (size, size, "log.read", "allowed")
    assert last.details == {"start": 20}


def test_a_reader_that_looks_often_does_not_fill_the_log(project: SmallProject) -> None:
    read = list(read_audit_entries(project.kernel, start=0))
    size = project.installation.log.size()

    for _ in range(5):
        assert list(read_audit_entries(project.kernel, start=len(read))) == []

    assert project.installation.log.size() == size


def test_readers_that_look_often_do_not_read_of_each_other_for_ever(project: SmallProject) -> None:
    read = [0, 0, 0]
    for _ in range(6):
        for reader in range(3):
            read[reader] += len(list(read_audit_entries(project.kernel, start=read[reader])))
    readings = [entry for entry in project.installation.log.entries() if entry.action == "log.read"]
    assert (len(readings), set(read)) == (3, {project.installation.log.size()})


def test_the_actor_is_told_and_shown_in_no_representation(project: SmallProject) -> None:
    answer = project.kernel.send(ReadAuditEntries(start=0))
    assert isinstance(answer, AuditEntriesRead)
    assert {entry.actor for entry in answer.entries} > {"person:asha"}
    assert "asha" not in repr(answer)


@pytest.mark.parametrize("column", ["leaf", "actor"])
def test_a_changed_entry_is_not_told(project: SmallProject, column: str) -> None:
    with project.installation.state.transaction() as connection:
        row = audit_entries.c.entry_index == 9
        changed = connection.scalar(audit_entries.select().with_only_columns(audit_entries.c[column]).where(row))
        other = changed.replace(b'"rows"', b'"cows"') if isinstance(changed, bytes) else "person:ravi"
        connection.execute(update(audit_entries).where(row).values({column: other}))
    with pytest.raises(AuditLogTampered):
        list(read_audit_entries(project.kernel, start=0))


@pytest.mark.parametrize("start", [26, 10**9])
def test_beyond_the_end_there_is_nothing(project: SmallProject, start: int) -> None:
    list(read_audit_entries(project.kernel, start=0))
    assert list(read_audit_entries(project.kernel, start=start + 40)) == []


def test_whoever_has_no_role_for_it_is_refused_and_the_log_has_that(project: SmallProject, tmp_path: Path) -> None:
    installation: Installation = project.installation
    installation.core.admission.directory = Appointed(Actors({}, {}), {})
    for start in (0, 10**9):
        with pytest.raises(AccessRefused):
            installation.kernel.send(ReadAuditEntries(start=start))
    refused = [entry for entry in installation.log.entries() if entry.action == "log.read"]
    assert [(entry.outcome, entry.actor) for entry in refused] == [("refused", "unverified")] * 2
