"""The Dagster instance of an installation: its folder, its file, its environment variables.

Belongs here: making Dagster's home. Must stay out: what runs in it.
"""

import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml
from sqlalchemy.exc import OperationalError

from secure_ml.guard.process import mask_errors
from secure_ml.guard.telemetry import silence
from secure_ml.posture import DAGSTER_URL
from secure_ml.settings import Settings, SettingsError, project_root

_DISK_REFUSES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
_LONGEST_REASON = 100
_VARIABLES = ("DAGSTER_HOME", "SECURE_ML_DAGSTER_STORAGE", "TMPDIR", "MPLCONFIGDIR")


class DagsterStorageError(Exception):
    """Dagster's own records cannot be written or read; the text says what to do."""


def prepare_dagster_home(settings: Settings, environ: MutableMapping[str, str]) -> Path:
    """Makes the instance's folder and sets the variables that its dagster.yaml names. Returns the folder.

    Where SECURE_ML_DAGSTER_POSTGRES_URL is set, Dagster's records are in that database, and otherwise in the folder.

    Temporary files and caches of libraries get their place below the home too, whatever the environment said before:
    a library's temporary file elsewhere would be a copy that nobody knows of.

    Args:
        settings: the installation's places.
        environ: the process's environment; where Dagster's home and storage are set already, they stay.

    Raises:
        SettingsError: a folder cannot be written, or dagster.yaml is missing.
    """
    silence(environ)
    mask_errors(environ)
    home = settings.dagster
    source = project_root() / "dagster.yaml"
    try:
        for folder in (home, home / "storage", settings.temporary, settings.matplotlib):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "dagster.yaml").write_text(_declared(source, environ), encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{home}: cannot be prepared ({type(error).__name__}); set SECURE_ML_HOME to a folder that you may write, "
            f"and run from a checkout that holds dagster.yaml"
        ) from None
    environ.setdefault("DAGSTER_HOME", str(home))
    environ.setdefault("SECURE_ML_DAGSTER_STORAGE", str(home / "storage"))
    environ["TMPDIR"] = str(settings.temporary)
    environ["MPLCONFIGDIR"] = str(settings.matplotlib)
    return home


def _declared(source: Path, environ: Mapping[str, str]) -> str:
    """The text of the instance's dagster.yaml, made from the checkout's."""
    text = source.read_text(encoding="utf-8")
    if not environ.get(DAGSTER_URL):
        return text
    storage = {
        "module": "secure_ml.orchestration.postgres_storage",
        "class": "RedactedPostgresStorage",
        "config": {"postgres_url": {"env": DAGSTER_URL}},
    }
    return yaml.safe_dump({**yaml.safe_load(text), "storage": {"custom": storage}}, sort_keys=False)


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The installation's Dagster instance, whatever DAGSTER_HOME says.

    While it is open, this process's variables and its folder for temporary files are the installation's.

    Raises:
        SettingsError: as `prepare_dagster_home`.
        DagsterStorageError: Dagster's records could not be written or read, also later, inside the block.
    """
    before, folder = {name: os.environ.pop(name, None) for name in _VARIABLES}, tempfile.tempdir
    try:
        home = prepare_dagster_home(settings, os.environ)
        # Python asks for TMPDIR once, and may have done so already.
        tempfile.tempdir = str(settings.temporary)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield instance
    except (OperationalError, sqlite3.OperationalError) as error:
        raise DagsterStorageError(_refused(settings.dagster, str(error.args[0]))) from None
    except OSError as error:
        if error.errno not in _DISK_REFUSES:
            raise
        raise DagsterStorageError(_refused(settings.dagster, os.strerror(error.errno))) from None
    finally:
        tempfile.tempdir = folder
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _refused(folder: Path, reason: str) -> str:
    """What to do; SQLite's own reason is one of a few fixed sentences, and anything longer is left out."""
    told = f" ({reason.rpartition(') ')[2]})" if len(reason) <= _LONGEST_REASON and "\n" not in reason else ""
    return (
        f"{folder}: Dagster's records cannot be written or read{told}; free space on the disk, or make the folder "
        "writable, and run again"
    )
