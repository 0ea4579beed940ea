"""The definitions of one environment: composition only.

Belongs here: which projects and resources make up a code location. Must stay out: assets, rules, work at import.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from secure_ml.guard.errors import describe
from secure_ml.guard.process import protect_process
from secure_ml.guard.telemetry import silence
from secure_ml.orchestration.component import building_for
from secure_ml.orchestration.egress import guarded_doors
from secure_ml.orchestration.io_manager import DoorIOManager
from secure_ml.orchestration.project import project_definitions
from secure_ml.orchestration.redacted_errors import replace_error_logger
from secure_ml.orchestration.registry import RegistryResource
from secure_ml.orchestration.resources import Doors
from secure_ml.orchestration.security import security_definitions
from secure_ml.policy.load import PolicyError
from secure_ml.policy.projects import find_projects
from secure_ml.posture import DAGSTER_URL, require_shared_dagster
from secure_ml.settings import Profile, read_settings

if TYPE_CHECKING:
    from secure_ml.vault.client import Client

_PACKAGE = Path(__file__).resolve().parent


def open_installation() -> "Client":
    """The installation that the environment variables describe, with all its projects."""

    from secure_ml.installation import open_client

    return open_client(os.environ, unfinished=_leave_out)


def build(
    environment: str,
    *,
    overrides: dict[str, Any] | None = None,
    open_client: "Callable[[], Client]" = open_installation,
) -> dg.Definitions:
    """The definitions of one environment: shipped projects, drafted projects, security events, resources.

    Args:
        environment: first part of every asset key.
        overrides: resources that replace the standard ones, for tests.
        open_client: gives the installation that the doors are of, when the first of them is opened.
    """
    settings = read_settings(os.environ)
    if settings.profile is Profile.PRODUCTION:
        require_shared_dagster(settings, in_files=not os.environ.get(DAGSTER_URL))
    silence(os.environ)
    protect_process()
    replace_error_logger()
    with building_for(environment):
        shipped = dg.load_from_defs_folder(path_within_project=_PACKAGE)
    drafted = [
        project_definitions(project, environment)
        for project in find_projects((settings.projects,), unfinished=_leave_out).values()
    ]
    doors = Doors(open_client, environ=os.environ)
    resources: dict[str, Any] = {
        "doors": guarded_doors(doors),
        # It asks for the doors so that they are opened, and the tripwire is on, in every run that moves data.
        "io_manager": dg.IOManagerDefinition(lambda _: DoorIOManager(doors), required_resource_keys={"doors"}),
        "registry": RegistryResource(settings),
        **(overrides or {}),
    }
    security = security_definitions(environment, doors)
    bound = dg.Definitions(resources=resources, executor=dg.in_process_executor)
    return dg.Definitions.merge(shipped, *drafted, security, bound)


def _leave_out(error: PolicyError) -> None:
    """A draft that waits for its steward does not close the door to all other projects."""
    logging.getLogger(__name__).warning("left out: %s", describe(error))
