"""`secure-ml keys`."""

import shutil
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.keys.errors import KeyDestroyed
from secure_ml.keys.local_file import LocalFileKeyService
from secure_ml.vault import key_custody
from secure_ml.vault.door import Stored
from secure_ml_tests.cli.terminal import Said, Terminal
from secure_ml_tests.fakes.small_project import SmallProject, make_small_project

REASON = ("--reason", "the retention period is over")


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    return make_small_project(tmp_path / "project", buckets=2)


@pytest.fixture
def stored(project: SmallProject) -> list[Stored]:
    """Two versions of `raw`: one that was read, and the one that is read today."""
    written = [project.write_raw(), project.write_raw()]
    project.pass_checks(Stage.RAW)
    return written


def keys(project: SmallProject, *arguments: str) -> Said:
    return Terminal(project.home, project.keys)("keys", *arguments)


def refused(said: Said) -> str:
    """The one line of an error."""
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error ")
    assert said.err.count("\n") == 1
    return said.err


# status


def test_status_counts_keys_and_names_the_root_key(project: SmallProject, stored: list[Stored]) -> None:
    told = keys(project, "status", "--json").json
    root = LocalFileKeyService.open(project.keys).key_id
    assert (told["generation"], told["refusal"], told["older_roots"], told["under_older_root"]) == (1, "", [], 0)
    installation, training = told["environments"]
    assert (installation["environment"], installation["living"]) == ("installation", 2)
    assert training == {
        "environment": "training",
        "served": True,
        "service": "LocalFileKeyService",
        "service_key_id": root,
        "epoch": 1,
        "root_key_id": root,
        "living": training["living"],
        "destroyed": 0,
        "left": 0,
        "rotating": False,
    }
    assert training["living"] > 10
    said = keys(project, "status")
    assert said.code == 0
    assert f"generation {told['generation']}" in said.out
    assert f"Root key    {root}, LocalFileKeyService" in said.out
    assert [line.split()[0] for line in said.out.splitlines() if line.endswith("current")] == [
        "installation",
        "training",
    ]


def test_status_says_what_is_under_an_older_root_key(project: SmallProject, stored: list[Stored]) -> None:
    LocalFileKeyService.open(project.keys).rotate()
    assert keys(project, "status", "--json").json["under_older_root"] == 2
    assert "2 under an older root key: `secure-ml keys rewrap`" in keys(project, "status").out
    assert keys(project, "rewrap", "--json").json["moved"] == 2
    assert keys(project, "status", "--json").json["under_older_root"] == 0


def test_status_of_no_installation_makes_none(terminal: Terminal) -> None:
    said = terminal("keys", "status")
    assert said.code == 1
    assert not terminal.home.exists()
    assert not terminal.keys.exists()


# rotate


def test_after_rotate_everything_is_read_as_before(
    project: SmallProject, stored: list[Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = project.door().open(Stage.RAW, "", by=Stage.MASKED).read()
    files = {path: path.read_bytes() for path in project.home.glob("vault/**/*.parquet")}
    old_root = LocalFileKeyService.open(project.keys).key_id
    monkeypatch.setattr(key_custody, "STEP_SECONDS", 0)
    said = keys(project, "rotate")
    assert said.code == 0
    assert said.out.startswith("rotated installation, training: ")
    assert f"retired root key {old_root}" in said.out
    assert "Back up the key store now" in said.out
    for one in (project, project.reopened()):
        assert one.door("again").open(Stage.RAW, "", by=Stage.MASKED).read().equals(before)
    assert {path: path.read_bytes() for path in files} == files, "data is not touched"
    told = keys(project, "status", "--json").json
    assert [(one["epoch"], one["left"], one["rotating"]) for one in told["environments"]] == [(2, 0, False)] * 2
    assert project.reopened().installation.log.verify().size > 0


def test_one_environment_is_rotated_alone(project: SmallProject, stored: list[Stored]) -> None:
    told = keys(project, "rotate", "--environment", "training", "--json").json
    assert told["epochs"] == {"training": 2}
    assert len(told["retired"]) == 1
    epochs = {one["environment"]: one["epoch"] for one in keys(project, "status", "--json").json["environments"]}
    assert epochs == {"installation": 1, "training": 2}
    assert "production has no keys yet" in refused(keys(project, "rotate", "--environment", "production"))


def test_an_unfinished_rotation_is_told_and_finished(
    project: SmallProject, stored: list[Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    from secure_ml.keys import rotation

    monkeypatch.setattr(rotation, "PAGE_KEYS", 3)
    project.installation.keys.rotate(["training"], seconds=0)
    said = keys(project, "status")
    assert "rotation unfinished, " in said.out
    assert "`secure-ml keys rotate` goes on with it" in said.out
    said = keys(project, "rotate")
    assert said.out.startswith("rotated training: ")
    assert "Not rotated: installation; run this again." in said.out
    told = keys(project, "status", "--json").json
    assert [(one["epoch"], one["rotating"]) for one in told["environments"]] == [(1, False), (2, False)]
    assert keys(project, "rotate", "--json").json["epochs"] == {"installation": 2, "training": 3}


# rewrap


def test_rewrap_moves_to_another_service_which_must_then_be_named(
    project: SmallProject, stored: list[Stored], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = (tmp_path / "target").as_uri()
    said = keys(project, "rewrap", "--to", target)
    assert (said.code, said.err) == (0, "")
    assert "rewrapped the keys of 2 environments" in said.out
    assert f"Set SECURE_ML_KEY_SERVICE to {target} now" in " ".join(said.out.split())
    assert "use the service of root key" in refused(keys(project, "status"))
    from secure_ml_tests.cli import terminal

    monkeypatch.setattr(terminal, "INHERITED", (*terminal.INHERITED, "SECURE_ML_KEY_SERVICE"))
    monkeypatch.setenv("SECURE_ML_KEY_SERVICE", target)
    told = keys(project, "status", "--json").json
    assert {one["service_key_id"] for one in told["environments"]} == {
        LocalFileKeyService.open(tmp_path / "target").key_id
    }
    assert keys(project, "rewrap", "--to", target, "--json").json["moved"] == 0


def test_an_unprotected_root_key_is_left_for_a_protected_one(
    project: SmallProject, stored: list[Stored], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from secure_ml_tests.cli import terminal

    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("six words drawn at random", encoding="utf-8")
    monkeypatch.setattr(
        terminal, "INHERITED", (*terminal.INHERITED, "SECURE_ML_KEY_SERVICE", "SECURE_ML_PASSPHRASE_FILE")
    )
    monkeypatch.setenv("SECURE_ML_PASSPHRASE_FILE", str(passphrase))
    target = f"{(tmp_path / 'target').as_uri()}?protect=passphrase"
    assert keys(project, "rewrap", "--to", target, "--json").json["moved"] == 2
    monkeypatch.setenv("SECURE_ML_KEY_SERVICE", target)
    assert keys(project, "status", "--json").json["refusal"] == ""
    monkeypatch.setenv("SECURE_ML_KEY_SERVICE", (tmp_path / "target").as_uri())
    assert "protection is passphrase" in refused(keys(project, "status"))


def test_a_service_that_is_none_is_refused(project: SmallProject, stored: list[Stored]) -> None:
    assert "begins with one of" in refused(keys(project, "rewrap", "--to", "nonsense"))
    assert keys(project, "status").code == 0


# destroy


def test_destroy_takes_a_version_that_nobody_reads_and_the_log_says_why(
    project: SmallProject, stored: list[Stored]
) -> None:
    said = keys(project, "destroy", stored[0].version_id, *REASON, "--yes")
    assert said.code == 0
    assert said.out.startswith("destroyed ")
    told = [entry for entry in project.reopened().log("key.destroy") if entry.resource == stored[0].version_id]
    assert [entry.outcome for entry in told] == ["allowed", "done"]
    assert {entry.reason for entry in told} == {REASON[1]}
    assert {entry.actor for entry in told} == {project.log("run.start")[0].actor}
    assert "were destroyed before" in keys(project, "destroy", stored[0].version_id, *REASON, "--yes").out
    assert project.door().open(Stage.RAW, "", by=Stage.MASKED).read().num_rows == 60
    assert keys(project, "status", "--json").json["environments"][1]["destroyed"] > 0


def test_destroy_takes_the_version_that_is_read_only_by_force(project: SmallProject, stored: list[Stored]) -> None:
    words = refused(keys(project, "destroy", stored[1].version_id, *REASON, "--yes"))
    assert "is what is read of training/clinic/raw" in words
    assert project.door().open(Stage.RAW, "", by=Stage.MASKED).read().num_rows == 60
    assert keys(project, "destroy", stored[1].version_id, *REASON, "--yes", "--force", "--json").json["destroyed"] > 0
    with pytest.raises(KeyDestroyed, match="destroyed; what it protected cannot be opened again"):
        project.door().open(Stage.RAW, "", by=Stage.MASKED).read()
    project.write_raw()
    project.pass_checks(Stage.RAW)
    assert project.door().open(Stage.RAW, "", by=Stage.MASKED).read().num_rows == 60


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*REASON,), "say --yes"),
        (("--reason", " ", "--yes"), "say why"),
    ],
)
def test_destroy_wants_a_yes_and_a_reason(
    project: SmallProject, stored: list[Stored], arguments: tuple[str, ...], words: str
) -> None:
    assert words in refused(keys(project, "destroy", stored[0].version_id, *arguments))
    assert project.log("key.destroy") == []


def test_destroy_of_an_unknown_version_destroys_nothing(project: SmallProject, stored: list[Stored]) -> None:
    assert "was not committed" in refused(keys(project, "destroy", "f" * 32, *REASON, "--yes"))
    assert "there is no key of" in refused(keys(project, "destroy", "f" * 32, *REASON, "--yes", "--force"))
    assert project.log("key.destroy") == []


def test_a_reason_that_names_a_person_by_number_is_redacted(project: SmallProject, stored: list[Stored]) -> None:
    reason = "asked for by zorblax@invented.example"
    assert keys(project, "destroy", stored[0].version_id, "--reason", reason, "--yes").code == 0
    assert "zorblax" not in str(project.reopened().log("key.destroy"))


# An older copy


def test_a_restored_key_store_is_refused_told_and_recovered(
    project: SmallProject, stored: list[Stored], tmp_path: Path
) -> None:
    shutil.copy2(project.keys / "keys.db", tmp_path / "backup")
    assert keys(project, "destroy", stored[0].version_id, *REASON, "--yes").code == 0
    shutil.copy2(tmp_path / "backup", project.keys / "keys.db")

    said = keys(project, "status")
    assert said.code == 0
    assert "nothing is opened" in said.out
    assert "is an older copy" in " ".join(said.out.split())
    assert "is at change 1 and the audit log at 2" in refused(keys(project, "rotate"))
    assert Terminal(project.home, project.keys)("audit", "verify").code == 0, "the log is verified all the same"

    assert "say --yes" in refused(keys(project, "recover", *REASON))
    assert "recovered" in keys(project, "recover", *REASON, "--yes").out
    again = project.reopened()
    assert again.door().open(Stage.RAW, "", by=Stage.MASKED).read().num_rows == 60
    assert "were destroyed before" in keys(project, "destroy", stored[0].version_id, *REASON, "--yes").out
    assert "there is nothing to recover" in refused(keys(project, "recover", *REASON, "--yes"))
