"""The Dagster instance of an installation, and the variables that keep libraries inside it."""

import os
import tempfile
from pathlib import Path

import pytest

from secure_ml.orchestration.instance import dagster_instance, prepare_dagster_home
from secure_ml.settings import Settings, SettingsError, read_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"SECURE_ML_HOME": str(tmp_path / "home"), "SECURE_ML_KEYS": str(tmp_path / "keys")})


def test_temporary_files_and_caches_lie_below_the_home_for_this_user_only(settings: Settings) -> None:
    environ = {"TMPDIR": "/elsewhere", "MPLCONFIGDIR": "/elsewhere"}
    prepare_dagster_home(settings, environ)
    for name in ("TMPDIR", "MPLCONFIGDIR", "DAGSTER_HOME", "SECURE_ML_DAGSTER_STORAGE"):
        folder = Path(environ[name])
        assert folder.is_relative_to(settings.home)
        assert folder.stat().st_mode & 0o777 == 0o700


def test_where_dagster_is_set_up_already_it_stays(settings: Settings) -> None:
    environ = {"DAGSTER_HOME": "/elsewhere", "SECURE_ML_DAGSTER_STORAGE": "/elsewhere/storage"}
    prepare_dagster_home(settings, environ)
    assert environ["DAGSTER_HOME"] == "/elsewhere"
    assert environ["SECURE_ML_DAGSTER_STORAGE"] == "/elsewhere/storage"


def test_an_open_instance_is_the_installations_and_leaves_the_process_as_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECURE_ML_DAGSTER_STORAGE", str(tmp_path / "another"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = dict(os.environ)
    with dagster_instance(settings) as instance:
        assert instance.root_directory.startswith(str(settings.dagster))
        assert tempfile.gettempdir() == str(settings.temporary)
        with tempfile.NamedTemporaryFile() as file:
            assert Path(file.name).is_relative_to(settings.home)
    names = ("DAGSTER_HOME", "SECURE_ML_DAGSTER_STORAGE", "TMPDIR", "MPLCONFIGDIR")
    assert [os.environ.get(name) for name in names] == [before.get(name) for name in names]
    assert tempfile.gettempdir() == str(tmp_path)
    assert not (tmp_path / "another").exists()


def test_a_home_that_cannot_be_written_is_a_clear_error(settings: Settings) -> None:
    settings.home.parent.mkdir(parents=True, exist_ok=True)
    settings.home.write_text("a file", encoding="utf-8")
    with pytest.raises(SettingsError, match="set SECURE_ML_HOME to a folder that you may write"):
        prepare_dagster_home(settings, {})
