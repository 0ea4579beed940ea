"""Whoever can write to the state database, but has no signing key, cannot make an older or another version pass."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.audit.errors import AuditLogTampered
from secure_ml.vault.errors import ChecksNotPassed, Tampered
from secure_ml.vault.manifest import Address
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, SmallProject, make_small_project

Row = dict[str, object]
TwoVersions = tuple[SmallProject, "Database", Row, Row]


class Database:
    """The state file, opened by somebody who knows SQLite."""

    def __init__(self, project: SmallProject) -> None:
        self._path = project.home / "state" / "state.db"

    def rows(self, table: str) -> list[Row]:
        with closing(sqlite3.connect(self._path)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]

    def replace(self, table: str, row: Row) -> None:
        marks = ", ".join("?" * len(row))
        self.run(f"INSERT OR REPLACE INTO {table} ({', '.join(row)}) VALUES ({marks})", *row.values())

    def run(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            assert connection.execute(statement, values).rowcount > 0


def opened_rows(project: SmallProject) -> int:
    """Opens and reads in a new process, as it were, since the old one has the log in memory."""
    return project.reopened().door("reader").open(Stage.RAW, "", by=Stage.MASKED).read().num_rows


@pytest.fixture
def two_versions(checked_project: SmallProject) -> TwoVersions:
    """A project with an older and a newer checked version of `raw`; the manifest and head rows of the older."""
    database = Database(checked_project)
    (manifest,), (head,) = database.rows("manifests"), database.rows("heads")
    checked_project.write_raw()
    checked_project.pass_checks(Stage.RAW)
    assert opened_rows(checked_project) == 60
    return checked_project, database, manifest, head


def test_an_edited_manifest_is_refused(checked_project: SmallProject) -> None:
    database = Database(checked_project)
    (row,) = database.rows("manifests")
    content = json.loads(bytes(row["body"]))
    content["rows"] += 1
    row["body"] = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    database.replace("manifests", row)
    with pytest.raises(Tampered, match="signature"):
        opened_rows(checked_project)


def test_a_manifest_with_another_manifests_signature_is_refused(
    two_versions: TwoVersions,
) -> None:
    project, database, older, _ = two_versions
    database.run("UPDATE manifests SET signature = ?", older["signature"])
    with pytest.raises(Tampered, match="signature"):
        opened_rows(project)


def test_a_verdicts_signature_does_not_sign_a_manifest(checked_project: SmallProject) -> None:
    database = Database(checked_project)
    verdict = database.rows("verdicts")[0]
    database.run("UPDATE manifests SET body = ?, signature = ?", verdict["body"], verdict["signature"])
    with pytest.raises(Tampered, match="signature"):
        opened_rows(checked_project)


def test_another_versions_manifest_under_this_id_is_refused(
    two_versions: TwoVersions,
) -> None:
    project, database, older, _ = two_versions
    database.run("UPDATE manifests SET body = ?, signature = ?", older["body"], older["signature"])
    with pytest.raises(Tampered, match="another version's"):
        opened_rows(project)


def test_an_older_head_put_back_is_refused(two_versions: TwoVersions) -> None:
    project, database, _, head = two_versions
    database.replace("heads", head)
    with pytest.raises(Tampered, match="committed last"):
        opened_rows(project)


def test_an_older_version_put_back_with_the_newest_entry_of_the_log_is_refused(
    two_versions: TwoVersions,
) -> None:
    project, database, _, head = two_versions
    (newest,) = database.rows("heads")
    database.replace("heads", {**head, "audit_index": newest["audit_index"]})
    with pytest.raises(Tampered, match="committed last"):
        opened_rows(project)


def test_an_older_version_put_back_together_with_an_edited_log_is_refused(
    two_versions: TwoVersions,
) -> None:
    project, database, _, head = two_versions
    (newest,) = database.rows("heads")
    database.replace("heads", head)
    (leaf,) = [row["leaf"] for row in database.rows("audit_entries") if row["entry_index"] == newest["audit_index"]]
    hidden = bytes(leaf).replace(b"version.commit", b"version.forget")
    assert hidden != leaf
    database.run("UPDATE audit_entries SET leaf = ? WHERE entry_index = ?", hidden, newest["audit_index"])
    with pytest.raises(AuditLogTampered):
        opened_rows(project)


def test_a_deleted_head_is_refused_and_not_taken_for_an_empty_place(checked_project: SmallProject) -> None:
    Database(checked_project).run("DELETE FROM heads")
    with pytest.raises(Tampered, match="committed last"):
        opened_rows(checked_project)
    with pytest.raises(Tampered, match="committed last"):
        checked_project.installation.versions.heads(environment=ENVIRONMENT, project=PROJECT)
    with pytest.raises(Tampered, match="committed last"):
        checked_project.installation.versions.all_heads()


def test_a_deleted_manifest_is_refused_and_not_taken_for_an_empty_place(checked_project: SmallProject) -> None:
    Database(checked_project).run("DELETE FROM manifests")
    with pytest.raises(Tampered, match="gone"):
        opened_rows(checked_project)
    with pytest.raises(Tampered, match="gone"):
        checked_project.installation.versions.all_heads()


def test_the_head_of_another_partition_is_refused(tmp_path: Path) -> None:
    project = make_small_project(tmp_path, partitioned=True)
    for partition in ("first", "second"):
        project.write_raw(partition)
        project.pass_checks(Stage.RAW, partition)
    database = Database(project)
    first, second = sorted(database.rows("heads"), key=lambda row: str(row["partition"]))
    database.replace("heads", {**second, "partition": first["partition"]})
    with pytest.raises(Tampered):
        project.reopened().door().open(Stage.RAW, "first", by=Stage.MASKED)


def test_the_heads_of_a_project_are_those_that_the_log_committed_last(tmp_path: Path) -> None:
    project = make_small_project(tmp_path, partitioned=True)
    project.write_raw("second")
    newest = {project.write_raw(partition).version_id for partition in ("first", "second")}
    found = project.reopened().installation.versions.heads(environment=ENVIRONMENT, project=PROJECT)
    assert [manifest.address for manifest in found] == [
        Address(ENVIRONMENT, PROJECT, Stage.RAW, partition) for partition in ("first", "second")
    ]
    assert {manifest.version_id for manifest in found} == newest


def test_a_verdict_flipped_in_its_column_changes_nothing(checked_project: SmallProject) -> None:
    checked_project.pass_checks(Stage.RAW, failing=("quality",))
    Database(checked_project).run("UPDATE verdicts SET passed = 1")
    with pytest.raises(ChecksNotPassed, match="quality"):
        opened_rows(checked_project)


def test_a_verdict_flipped_in_its_body_is_refused(checked_project: SmallProject) -> None:
    checked_project.pass_checks(Stage.RAW, failing=("quality",))
    database = Database(checked_project)
    (row,) = [row for row in database.rows("verdicts") if row["check_name"] == "quality"]
    row["body"] = bytes(row["body"]).replace(b'"passed":false', b'"passed":true')
    database.replace("verdicts", row)
    with pytest.raises(Tampered, match="quality"):
        opened_rows(checked_project)


def test_a_deleted_verdict_is_missed(checked_project: SmallProject) -> None:
    Database(checked_project).run("DELETE FROM verdicts WHERE check_name = 'quality'")
    with pytest.raises(ChecksNotPassed, match="quality"):
        opened_rows(checked_project)


def test_an_older_passing_verdict_put_back_is_refused(checked_project: SmallProject) -> None:
    database = Database(checked_project)
    passing = database.rows("verdicts")
    checked_project.pass_checks(Stage.RAW, failing=("quality",))
    for row in passing:
        database.replace("verdicts", row)
    with pytest.raises(Tampered, match="recorded last"):
        opened_rows(checked_project)


def test_another_versions_passing_verdict_is_refused(checked_project: SmallProject) -> None:
    database = Database(checked_project)
    passing = database.rows("verdicts")
    newer = checked_project.write_raw()
    for row in passing:
        database.replace("verdicts", {**row, "version_id": newer.version_id})
    with pytest.raises(Tampered):
        opened_rows(checked_project)


def test_another_installations_state_is_refused(checked_project: SmallProject, tmp_path: Path) -> None:
    stranger = make_small_project(tmp_path / "stranger", buckets=3)
    stranger.write_raw()
    stranger.pass_checks(Stage.RAW)
    stranger_state = (stranger.home / "state" / "state.db").read_bytes()
    (checked_project.home / "state" / "state.db").write_bytes(stranger_state)
    with pytest.raises(AuditLogTampered):
        opened_rows(checked_project)
