"""A copied home opens nothing, and a lost key is reported, not replaced."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.audit.errors import AuditLogTampered
from secure_ml.installation import InstallationError
from secure_ml.keys.errors import KeyServiceError
from secure_ml.settings import SettingsError, read_settings
from secure_ml_tests.fakes.small_project import SmallProject, make_small_project, open_small_project


def test_a_home_copied_without_its_keys_is_refused_and_no_key_is_made(
    checked_project: SmallProject, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    for name in ("home", "defs"):
        shutil.copytree(checked_project.root / name, copy / name)
    with pytest.raises(InstallationError, match="restore the keys"):
        open_small_project(copy)
    assert not (copy / "keys").exists()


def test_a_home_copied_beside_another_installations_keys_is_refused(
    checked_project: SmallProject, tmp_path: Path
) -> None:
    stranger = make_small_project(tmp_path / "stranger")
    shutil.rmtree(stranger.home)
    shutil.copytree(checked_project.home, stranger.home)
    reopened = stranger.reopened()
    with pytest.raises(AuditLogTampered):
        reopened.door().assess(Stage.RAW, "")


@pytest.mark.parametrize("name", ["root.key", "keys.db"])
def test_a_lost_key_file_is_an_error_that_makes_no_new_one(checked_project: SmallProject, name: str) -> None:
    (checked_project.keys / name).unlink()
    before = sorted(path.name for path in checked_project.keys.iterdir())
    with pytest.raises((InstallationError, KeyServiceError), match="restore"):
        checked_project.reopened()
    assert sorted(path.name for path in checked_project.keys.iterdir()) == before


def test_lost_keys_are_noticed_when_only_the_log_is_left(tmp_path: Path) -> None:
    project = make_small_project(tmp_path)
    project.door()
    assert not (project.home / "vault").exists()
    shutil.rmtree(project.keys)
    with pytest.raises(InstallationError, match="root key"):
        project.reopened()


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(content)


def open_to_others(path: Path) -> None:
    path.chmod(0o644)


@pytest.mark.parametrize("harm", [damage, open_to_others], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", ["root.key"])
def test_a_damaged_or_exposed_key_file_is_refused(
    checked_project: SmallProject, name: str, harm: Callable[[Path], None]
) -> None:
    harm(checked_project.keys / name)
    with pytest.raises(KeyServiceError):
        checked_project.reopened()


@pytest.mark.parametrize(("home", "keys"), [("a", "a"), ("a", "a/keys"), ("keys/a", "keys")])
def test_keys_inside_the_home_or_the_reverse_are_refused(tmp_path: Path, home: str, keys: str) -> None:
    environ = {"SECURE_ML_HOME": str(tmp_path / home), "SECURE_ML_KEYS": str(tmp_path / keys)}
    with pytest.raises(SettingsError, match="inside each other"):
        read_settings(environ)


def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    environ = {"SECURE_ML_HOME": str(tmp_path / "h"), "SECURE_ML_KEYS": str(tmp_path / "k"), "SECURE_ML_PROFILE": "x"}
    with pytest.raises(SettingsError, match="personal"):
        read_settings(environ)
