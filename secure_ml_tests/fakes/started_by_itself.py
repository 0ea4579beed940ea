"""A code location that starts runs by itself: a sensor, a schedule, an automation. Its assets bear a project's names.

Belongs here: what asks for runs. Must stay out: whom they act for (the tests say). The code server loads it as a file.
"""

import dagster as dg

_PARTS = dg.StaticPartitionsDefinition(["first", "second"])
_RETRIED = {"dagster/max_retries": "2", "dagster/retry_strategy": "ALL_STEPS"}


@dg.asset(key=["training", "clinic", "raw"])
def raw() -> None: ...


@dg.asset(key=["training", "clinic", "classified"])
def classified() -> None: ...


@dg.asset(
    key=["training", "clinic", "masked"], partitions_def=_PARTS, automation_condition=dg.AutomationCondition.missing()
)
def masked() -> None: ...


raw_job = dg.define_asset_job("raw_job", [raw])
classified_job = dg.define_asset_job("classified_job", [classified])
masked_job = dg.define_asset_job("masked_job", [masked])


@dg.sensor(job=classified_job, default_status=dg.DefaultSensorStatus.RUNNING)
def sees_news(_: dg.SensorEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key="once", tags=_RETRIED)


nightly = dg.ScheduleDefinition(
    name="nightly", job=raw_job, cron_schedule="* * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
automation = dg.AutomationConditionSensorDefinition(
    "automation", target=[masked], default_status=dg.DefaultSensorStatus.RUNNING
)

defs = dg.Definitions(
    assets=[raw, classified, masked],
    jobs=[raw_job, classified_job, masked_job],
    sensors=[sees_news, automation],
    schedules=[nightly],
)
