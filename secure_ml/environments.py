"""Dagster code locations, one attribute an environment; each is built when it is asked for, and no other with it.

`workspace.yaml` asks for each by its name, in a server of its own. A tool that looks for the only location of a module,
as `dg` does, is shown the environment that SECURE_ML_ENVIRONMENT names: training by default.
"""

import logging
import os
from functools import cache

import dagster as dg

from secure_ml.access.actions import Environment
from secure_ml.definitions import build
from secure_ml.guard.process import redact_output
from secure_ml.settings import SettingsError

# A server that loads this module runs what projects define: their sensors and schedules print outside of any step.
redact_output()

# dg knows one name for all locations of a project, and warns of any other, since components' state would be kept by it.
logging.getLogger("dagster.components.core.component_tree").addFilter(
    lambda record: "does not match the name" not in str(record.msg)
)


def __getattr__(name: str) -> dg.Definitions:
    if name not in set(Environment):
        raise AttributeError(f"there is no environment {name}; there are {', '.join(Environment)}")
    return _built(name)


def __dir__() -> list[str]:
    name = os.environ.get("SECURE_ML_ENVIRONMENT") or Environment.TRAINING
    if name not in set(Environment):
        raise SettingsError(f"SECURE_ML_ENVIRONMENT must be one of {', '.join(Environment)}")
    return [str(name)]


@cache
def _built(environment: str) -> dg.Definitions:
    return build(environment)
