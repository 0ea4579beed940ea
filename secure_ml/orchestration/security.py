"""Security events in Dagster: an asset over the audit log with a check for each kind, and a sensor that raises them.

Belongs here: what Dagster shows, and when the log is looked at. Must stay out: what counts as a finding (guard), and
what is remembered between two looks.

Findings name entries of the log, never an actor: Dagster's pages are open to more people than the log is.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache

import dagster as dg

from secure_ml.guard.redaction import Redactor
from secure_ml.guard.security_events import DETECTORS, Finding
from secure_ml.orchestration.failures import safe_failures
from secure_ml.orchestration.log_watch import Alarm, LogWatch, Report
from secure_ml.orchestration.resources import Doors
from secure_ml.settings import read_settings

GROUP = "security"
"""Group of the asset, and the second part of its key."""

SENSOR = "security_events"
"""Name of the sensor."""

_SECONDS_BETWEEN_LOOKS = 60
_ENTRIES_A_LOOK = 50_000  # Some ten seconds on a busy machine, of the sixty that Dagster gives a sensor.
_TOLD_A_LOOK = 50
_SHOWN = 100
_ENTRIES_SHOWN = 10


def security_definitions(environment: str, doors: Doors) -> dg.Definitions:
    """The asset of an environment's security events, its checks, and the sensor.

    Args:
        environment: the environment.
        doors: give the kernel; opened at the first look, never at definition time.
    """
    key = dg.AssetKey([environment, GROUP, "events"])
    return dg.Definitions(
        assets=[_events(key, environment)],
        asset_checks=[_event_checks(key, environment)],
        sensors=[_sensor(key, environment, doors)],
    )


def _events(key: dg.AssetKey, environment: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=key,
        group_name=GROUP,
        owners=["team:security"],
        tags={"environment": environment},
        kinds={"audit"},
        description="What somebody should look at in the audit log. Reads all of it; the sensor follows it.",
    )
    def events(doors: dg.ResourceParam[Doors]) -> dg.MaterializeResult[None]:
        with safe_failures():
            return dg.MaterializeResult(metadata=_metadata(_read_all(doors, environment)))

    return events


def _event_checks(key: dg.AssetKey, environment: str) -> dg.AssetChecksDefinition:
    specs = [
        dg.AssetCheckSpec(kind, asset=key, description=(detect.__doc__ or "").partition("\n")[0])
        for kind, detect in DETECTORS.items()
    ]

    @dg.multi_asset_check(name="__".join((*key.path, "checks")), specs=specs, can_subset=True)
    def checks(context: dg.AssetCheckExecutionContext, doors: dg.ResourceParam[Doors]) -> Iterator[dg.AssetCheckResult]:
        with safe_failures():
            selected = {check.name for check in context.selected_asset_check_keys}
            evaluations = list(_checks(key, _read_all(doors, environment)))
        yield from (_as_result(evaluation) for evaluation in evaluations if evaluation.check_name in selected)

    return checks


def _read_all(doors: Doors, environment: str) -> Report:
    from secure_ml.guard.security_limits import read_limits

    watch = LogWatch(environment, read_limits(doors.environ))
    watch.look(doors.installation.kernel)
    return watch.report()


def _sensor(key: dg.AssetKey, environment: str, doors: Doors) -> dg.SensorDefinition:
    @cache
    def opened() -> tuple[LogWatch, Alarm]:
        from secure_ml.guard.security_limits import read_limits
        from secure_ml.guard.webhook import read_webhook

        watch = LogWatch(environment, read_limits(doors.environ))
        return watch, Alarm(environment, read_webhook(doors.environ), clock=lambda: datetime.now(UTC))

    @dg.sensor(
        name=SENSOR,
        minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
        # An alarm that somebody must first remember to turn on is none; a look at a quiet log is one small question.
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Follows the audit log. What it finds goes to its own log, to the asset, and to the webhook.",
    )
    def security_events(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        with safe_failures():
            if not _begun(doors):
                return dg.SensorResult(skip_reason="there is no installation yet")
            watch, alarm = opened()
            watch.look(doors.installation.kernel, at_most=_ENTRIES_A_LOOK)
            untold = alarm.untold(watch.found_from(int(context.cursor or 0)))
            now, later = untold[:_TOLD_A_LOOK], untold[_TOLD_A_LOOK:]
            alarm.tell(now, context.log)
            # Whatever is told later must be found again by the next process, if this one does not live to tell it.
            cursor = str(min((found.entries[-1] for found in later), default=watch.next_entry))
            if not now:
                return dg.SensorResult(skip_reason=f"nothing new in {watch.next_entry} entries", cursor=cursor)
            report = watch.report()
            made = dg.AssetMaterialization(key, metadata=_metadata(report))
            return dg.SensorResult(asset_events=[made, *_checks(key, report)], cursor=cursor)

    return security_events


def _begun(doors: Doors) -> bool:
    """Whether there is a log to look at. An installation is made by its first run, and not by a look."""
    settings = read_settings(doors.environ)
    return settings.kernel_socket is not None or settings.state_file is None or settings.state_file.exists()


def _metadata(report: Report) -> dict[str, dg.MetadataValue]:
    return {
        "findings": _table(report.findings),
        "findings_in_all": dg.MetadataValue.int(len(report.findings)),
        "audit_log_entries": dg.MetadataValue.int(report.entries),
    }


def _checks(key: dg.AssetKey, report: Report) -> Iterator[dg.AssetCheckEvaluation]:
    """One for each kind: it fails while a finding of that kind is recent."""
    for kind in DETECTORS:
        found = report.recent(kind)
        grave = any(finding.severity == "error" for finding in found)
        yield dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=kind,
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR if grave else dg.AssetCheckSeverity.WARN,
            description=f"{len(found)} since {report.recent_from[:10]}" if found else "nothing",
            metadata={"findings": _table(found)} if found else {},
        )


def _as_result(evaluation: dg.AssetCheckEvaluation) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=evaluation.asset_key,
        check_name=evaluation.check_name,
        passed=evaluation.passed,
        severity=evaluation.severity,
        description=evaluation.description,
        metadata=evaluation.metadata,
    )


def _table(findings: Sequence[Finding]) -> dg.MetadataValue:
    """The newest findings, the last one first."""
    redact = Redactor().redact
    records = [
        dg.TableRecord(
            {
                "kind": found.kind,
                "severity": found.severity,
                "entries": _entries(found.entries),
                "time": found.time,
                "resource": redact(found.resource),
                "words": redact(found.words),
            }
        )
        for found in reversed(findings[-_SHOWN:])
    ]
    columns = [dg.TableColumn(name) for name in ("kind", "severity", "entries", "time", "resource", "words")]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _entries(indices: Sequence[int]) -> str:
    more = len(indices) - _ENTRIES_SHOWN
    return ", ".join(map(str, indices[:_ENTRIES_SHOWN])) + (f" and {more} more" if more > 0 else "")
