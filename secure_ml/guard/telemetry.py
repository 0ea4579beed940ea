"""Switching off what libraries would tell their makers.

Belongs here: the names of the switches. Must stay out: network policy, which is the boundary, and the switches that are
files (`telemetry.enabled` in dagster.yaml and in the configuration of dg).
"""

from collections.abc import Mapping, MutableMapping
from types import MappingProxyType

SWITCHES: Mapping[str, str] = MappingProxyType(
    {
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_TELEMETRY_ENABLED": "0",
        "GX_ANALYTICS_ENABLED": "false",
        # A pickle is a program, which MLflow runs by default; no model of this project is one.
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
)
"""Environment variables and the values under which nothing is sent."""


def silence(environ: MutableMapping[str, str]) -> None:
    """Sets every switch, whatever it was before.

    Libraries read them at import: call this first in every process.

    Args:
        environ: the process's environment, or one that a child will get.
    """
    environ.update(SWITCHES)
