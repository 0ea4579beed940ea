"""Opening an installation for a command.

Belongs here: the objects that commands share. Must stay out: printing.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from secure_ml.access.actions import Environment
from secure_ml.installation import InstallationError
from secure_ml.policy.load import load_policy
from secure_ml.policy.projects import POLICY_FILE, Project
from secure_ml.vault.client import Client

if TYPE_CHECKING:
    import dagster as dg

DEFAULT_ENVIRONMENT = Environment.TRAINING

EnvironmentOption = Annotated[
    Environment, typer.Option(envvar="SECURE_ML_ENVIRONMENT", help="The environment that is meant.")
]

_PROJECT_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


@dataclass(frozen=True)
class Opened:
    """An installation with its Dagster definitions and instance."""

    installation: Client
    definitions: "dg.Definitions"
    instance: "dg.DagsterInstance"

    def project(self, name: str) -> Project:
        """A project by name.

        Raises:
            InstallationError: there is none of that name.
            PolicyError: there is one, but its policy cannot be used yet.
        """
        return find_project(self.installation, name)


def find_project(installation: Client, name: str) -> Project:
    """A project by name.

    Raises:
        InstallationError: there is none of that name.
        PolicyError: there is one, but its policy cannot be used yet.
    """
    if name in installation.projects:
        return installation.projects[name]
    draft = installation.settings.projects / name / POLICY_FILE
    if _PROJECT_NAME.fullmatch(name) and draft.is_file():
        load_policy(draft)
    known = ", ".join(sorted(installation.projects)) or "none"
    raise InstallationError(f"there is no project {name!r}; there are: {known}. `secure-ml init` drafts a new one")


@contextmanager
def opened(environment: str) -> Iterator[Opened]:
    """The installation that the environment variables describe, ready to run in one of its environments."""
    from secure_ml.definitions import build, open_installation
    from secure_ml.orchestration.instance import dagster_instance

    installation = open_installation()
    with dagster_instance(installation.settings) as instance:
        yield Opened(installation, build(environment), instance)


def open_state() -> Client:
    """The installation for reading its state only.

    Raises:
        InstallationError: there is none yet; it is not made by asking.
    """
    from secure_ml.definitions import open_installation
    from secure_ml.settings import read_settings

    settings = read_settings(os.environ)
    if settings.kernel_socket is None and not settings.home.exists():
        raise InstallationError(f"there is no installation in {settings.home}; `secure-ml demo` or `run` makes one")
    return open_installation()
