"""Telemetry switches."""

from secure_ml.guard.telemetry import SWITCHES, silence


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
    assert environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environ["RAY_USAGE_STATS_ENABLED"] == "0"
