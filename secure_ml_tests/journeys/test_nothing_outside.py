"""From a foreign table to a registered model, the program writes below its home and its keys, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from secure_ml_tests.cli.test_init import write_visits

pytestmark = pytest.mark.journey

PROGRAM = Path(sys.executable).with_name("secure-ml")


def _everything(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A user whose own folders are empty: home, working folder, temporary files, caches."""
    for name in ("user", "work", "temporary", "cache", "config"):
        (tmp_path / name).mkdir()
    write_visits(tmp_path / "visits.csv", visits=4000)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "user"),
        "TMPDIR": str(tmp_path / "temporary"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "SECURE_ML_HOME": str(tmp_path / "home"),
        "SECURE_ML_KEYS": str(tmp_path / "keys"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def test_nothing_is_written_outside_the_home_and_the_keys(tmp_path: Path, environ: dict[str, str]) -> None:
    before = _everything(tmp_path)
    drafted = ["--data", "../visits.csv", "--label", "readmitted", "--subject", "patient_id", "--accept"]
    for command in (["init", "visits", *drafted], ["run", "visits"], ["status"], ["audit", "verify"]):
        done = subprocess.run(
            [PROGRAM, *command], env=environ, cwd=tmp_path / "work", capture_output=True, text=True, timeout=500
        )
        assert done.returncode == 0, done.stderr
    new = {path for path in _everything(tmp_path) - before if path.partition("/")[0] not in {"home", "keys"}}
    assert new == set()
    for name in ("home", "keys"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    assert list((tmp_path / "home" / "tmp").iterdir()) == [], "a temporary file is left"
    assert not list((tmp_path / "home").rglob("*.partial"))
