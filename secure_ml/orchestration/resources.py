"""What assets and checks are handed: the doors of their run, and the projects' folders.

Belongs here: opening the installation once a process. Must stay out: anything that reads data itself.
"""

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import Stage

if TYPE_CHECKING:
    from secure_ml.installation import Installation
    from secure_ml.vault.door import Door


class Doors:
    """The doors of an installation, one for each run and project.

    Args:
        open_installation: gives the installation; called at the first use, never at definition time.
        environ: environment variables that sources name.
    """

    def __init__(self, open_installation: "Callable[[], Installation]", *, environ: Mapping[str, str]) -> None:
        self._open_installation = open_installation
        self._door = lru_cache(maxsize=64)(self._make_door)
        self.environ = environ

    @cached_property
    def installation(self) -> "Installation":
        """The installation, opened once."""
        return self._open_installation()

    def door(self, key: dg.AssetKey, run_id: str) -> "Door":
        """The door of a run, for the environment and project of an asset."""
        environment, project, _ = key.path
        return self._door(environment, project, run_id)

    def _make_door(self, environment: str, project: str, run_id: str) -> "Door":
        return self.installation.door(environment=environment, project=project, run_id=run_id)


def stage_of(key: dg.AssetKey) -> Stage:
    """The stage that an asset key names."""
    return Stage(key.path[-1])
