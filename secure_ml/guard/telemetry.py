"""Switching off what libraries would tell their makers.

Belongs here: the names of the switches. Must stay out: network policy, which is the boundary, and the switches that are
files (`telemetry.enabled` in dagster.yaml and in the configuration of dg).
"""

from collections.abc import Mapping, MutableMapping
from types import MappingProxyType

SWITCHES: Mapping[str, str] = MappingProxyType(
    {
        # No library asks whatever answers at the address of a cloud machine's metadata.
        "AWS_EC2_METADATA_DISABLED": "true",
        "DAGSTER_DG_UPDATE_CHECK_ENABLED": "0",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "FASTAPI_OTEL_AUTO_CONFIGURE": "false",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_TELEMETRY_ENABLED": "0",
        "GX_ANALYTICS_ENABLED": "false",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        # A pickle is a program, which MLflow runs by default; no model of this project is one.
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # An endpoint that is set for other programs of this machine is not for what this one does.
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_SDK_DISABLED": "true",
        "OTEL_TRACES_EXPORTER": "none",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        # The public suffix list, which Presidio's e-mail recogniser has fetched: the packaged one is used instead.
        "TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS": "",
        "TRANSFORMERS_OFFLINE": "1",
    }
)
"""Environment variables and the values under which nothing is sent or fetched."""


def silence(environ: MutableMapping[str, str]) -> None:
    """Sets every switch, whatever it was before.

    Libraries read them at import: call this first in every process.

    Args:
        environ: the process's environment, or one that a child will get.
    """
    environ.update(SWITCHES)
