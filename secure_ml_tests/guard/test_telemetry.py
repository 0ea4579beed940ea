"""Telemetry switches. That nothing leaves with them is tried in journeys/test_nothing_leaves.py."""

import re
from importlib.metadata import distributions

from secure_ml.guard.telemetry import SWITCHES, silence

REPORTERS = frozenset(
    {
        "amplitude-analytics", "analytics-python", "bugsnag", "datadog", "ddtrace", "elastic-apm", "honeybadger",
        "mixpanel", "newrelic", "posthog", "raven", "rollbar", "scarf-analytics", "segment-analytics-python",
        "sentry-sdk", "statsig", "opentelemetry-exporter-otlp",
    }
)  # fmt: skip
"""Clients of services that collect usage or errors: none of them is a dependency of ours without being noticed here."""


def test_silence_overrides_what_was_set_and_leaves_the_rest() -> None:
    environ = {"MLFLOW_DISABLE_TELEMETRY": "false", "PATH": "/bin"}
    silence(environ)
    assert environ == {**SWITCHES, "PATH": "/bin"}


def test_every_library_of_the_project_that_reports_home_has_its_switch() -> None:
    environ: dict[str, str] = {}
    silence(environ)
    assert environ["DAGSTER_DISABLE_TELEMETRY"]
    assert environ["DO_NOT_TRACK"] == "1"
    assert environ["FLWR_TELEMETRY_ENABLED"] == "0"
    assert environ["GX_ANALYTICS_ENABLED"] == "false"
    assert environ["HF_HUB_OFFLINE"] == "1"
    assert environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environ["OTEL_SDK_DISABLED"] == "true"
    assert environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert environ["TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS"] == ""


def test_no_client_of_a_service_that_collects_usage_is_installed() -> None:
    installed = {re.sub(r"[-_.]+", "-", str(found.metadata["Name"])).lower() for found in distributions()}
    assert len(installed) > 50
    assert installed & REPORTERS == set()
