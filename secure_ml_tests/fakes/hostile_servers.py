# ruff: noqa: T201 - careless code prints
"""Careless code that Dagster's servers run outside of any step: at import, in sensors and in schedules.

Belongs here: what a project's folder may hold. Must stay out: what must become of it (the tests say). It imports no
other test, since it is copied into a project.
"""

import sys
from collections.abc import Iterator

import dagster as dg

NAME = "Zorblax Quillfeather"
EMAIL = "zorblax.canary@invented.example"
PHONE = "98765 01234"
PAN = "ABCPE1234F"
SAID = f"{EMAIL} {PHONE} {PAN}"

if not __name__.startswith("secure_ml_tests"):
    print("imported by", SAID)
    print("imported by", SAID, file=sys.stderr)


class CarelessError(Exception):
    """An error of a project, whose text nobody looked at."""


@dg.asset
def raising() -> None:
    print(SAID)
    raise CarelessError(f"{NAME} {SAID}")


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["north", "south"]))
def by_region(context: dg.AssetExecutionContext) -> None:
    context.log.info(SAID)


@dg.asset(partitions_def=dg.DailyPartitionsDefinition("2026-01-01"))
def by_day(context: dg.AssetExecutionContext) -> None:
    context.log.info(SAID)


@dg.op(config_schema={"contact": str})
def is_configured() -> None: ...


@dg.op
def does_nothing() -> None: ...


@dg.job
def configured() -> None:
    is_configured()


@dg.job
def quiet() -> None:
    does_nothing()


@dg.sensor(job=quiet, minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def raising_sensor(_: dg.SensorEvaluationContext) -> None:
    print("sensor", SAID)
    raise CarelessError(f"{NAME} {SAID}")


@dg.sensor(job=quiet, minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def talking_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    context.log.info("sensor %s", SAID, extra={"who": SAID})
    try:
        raise CarelessError(NAME)
    except CarelessError:
        context.log.exception("failed")
    context.update_cursor(SAID)
    return dg.SkipReason(SAID)


@dg.sensor(job=quiet, minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def requesting_by_value(_: dg.SensorEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=f"key {PAN}")


@dg.sensor(job=quiet, minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def tagging_sensor(_: dg.SensorEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key="once", tags={"contact": SAID})


@dg.sensor(job_name="loan_approval__protect", minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def asking_for_a_project(_: dg.SensorEvaluationContext) -> dg.RunRequest:
    classified = dg.AssetKey(["training", "loan_approval", "classified"])
    return dg.RunRequest(run_key="once", partition_key="2024-01", asset_selection=[classified])


@dg.sensor(asset_selection=[by_region], minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def reporting_sensor(_: dg.SensorEvaluationContext) -> dg.SensorResult:
    made = dg.AssetMaterialization("by_region", description=SAID, metadata={"who": SAID}, partition="north")
    return dg.SensorResult(asset_events=[made], cursor="1795503980.5")


@dg.run_failure_sensor(minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def raising_on_failure(_: dg.RunFailureSensorContext) -> None:
    raise CarelessError(f"{NAME} {SAID}")


@dg.schedule(job=quiet, cron_schedule="* * * * *", default_status=dg.DefaultScheduleStatus.RUNNING)
def raising_schedule(_: dg.ScheduleEvaluationContext) -> None:
    print("schedule", SAID)
    raise CarelessError(f"{NAME} {SAID}")


@dg.schedule(job=quiet, cron_schedule="* * * * *", default_status=dg.DefaultScheduleStatus.RUNNING)
def requesting_schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    context.log.warning(SAID)
    yield dg.RunRequest(run_key="every minute", tags={"contact": SAID})
