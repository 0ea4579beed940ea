"""The Dagster instance of an installation: its folder, its file, its environment variables.

Belongs here: making Dagster's home. Must stay out: what runs in it.
"""

import os
import shutil
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from secure_ml.guard.telemetry import silence
from secure_ml.settings import Settings, SettingsError, project_root


def prepare_dagster_home(settings: Settings, environ: MutableMapping[str, str]) -> Path:
    """Makes the instance's folder and sets the variables that dagster.yaml names. Returns the folder.

    Args:
        settings: the installation's places.
        environ: the process's environment; what it sets already stays.

    Raises:
        SettingsError: the folder cannot be written, or dagster.yaml is missing.
    """
    silence(environ)
    home = settings.dagster
    source = project_root() / "dagster.yaml"
    try:
        (home / "storage").mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(source, home / "dagster.yaml")
    except OSError as error:
        raise SettingsError(
            f"{home}: cannot be prepared ({type(error).__name__}); set SECURE_ML_HOME to a folder that you may write, "
            f"and run from a checkout that holds dagster.yaml"
        ) from None
    environ.setdefault("DAGSTER_HOME", str(home))
    environ.setdefault("SECURE_ML_DAGSTER_STORAGE", str(home / "storage"))
    return home


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The installation's Dagster instance, whatever DAGSTER_HOME says."""
    home = prepare_dagster_home(settings, os.environ)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance
