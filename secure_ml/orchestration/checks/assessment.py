"""What all checks share: the version is read as *assess*, judged once, and every verdict is stored through the door.

Belongs here: the frame of a check. Must stay out: what is judged.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import CHECKS, PARTITIONED, Stage
from secure_ml.guard.redaction import Redactor
from secure_ml.orchestration.failures import safe_failures
from secure_ml.orchestration.keys import asset_key, partitions_of
from secure_ml.orchestration.metadata import audit_log_entry, figures_metadata
from secure_ml.orchestration.resources import Doors
from secure_ml.policy.projects import Project
from secure_ml.vault.dataset import Dataset

if TYPE_CHECKING:
    from secure_ml.vault.door import Door

Fact = int | float | str | bool


class NoPartition(Exception):
    """A check of a partitioned stage was launched for no partition."""


@dataclass(frozen=True)
class Judgement:
    """What one check found.

    Attributes:
        check: its name, one of the stage's.
        passed: whether it passed.
        blocking: whether its failure closes the version to readers.
        words: what was found and what to do, for people; no value of a person.
        facts: counts and figures behind it, signed with the verdict.
        table: rows to show to people in place of the facts, where these are many.
        pictures: PNG figures by name, of published figures only; shown, not signed.
    """

    check: str
    passed: bool
    words: str
    blocking: bool = True
    facts: Mapping[str, Fact] = field(default_factory=dict)
    table: Sequence[Mapping[str, Fact]] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)


Judge = Callable[[Dataset], Sequence[Judgement]]


@dataclass(frozen=True)
class Assessed:
    """The version that was judged, and each judgement with the log entry that recorded it."""

    version_id: str
    recorded: tuple[tuple[Judgement, int], ...]


def build_checks(
    project: Project, environment: str, stage: Stage, descriptions: Mapping[str, str], judge: Judge
) -> dg.AssetChecksDefinition:
    """One `multi_asset_check` for a stage.

    Args:
        project: the project.
        environment: the environment.
        stage: the stage whose versions are judged.
        descriptions: a line for people about each of the stage's checks.
        judge: one pass over the version, one judgement for each check.
    """
    key = asset_key(environment, project.policy.project, stage)
    partitions = partitions_of(project.policy) if stage in PARTITIONED else None
    specs = [
        dg.AssetCheckSpec(name, asset=key, blocking=True, description=descriptions[name], partitions_def=partitions)
        for name in CHECKS[stage]
    ]

    @dg.multi_asset_check(name="__".join((*key.path, "checks")), specs=specs, can_subset=True)
    def checks(context: dg.AssetCheckExecutionContext, doors: dg.ResourceParam[Doors]) -> Iterator[dg.AssetCheckResult]:
        with safe_failures():
            door = doors.door(key, context.run)
            if partitions is not None and not context.has_partition_key:
                raise NoPartition(f"{stage} is checked by partition: choose one, or materialise it anew")
            partition = context.partition_key if context.has_partition_key else ""
            selected = {check.name for check in context.selected_asset_check_keys}
            assessor = doors.assessor
            if assessor is None:
                assessed = assess(door, stage, partition, judge, checks=selected)
            else:
                assessed = assessor(environment, project.policy.project, stage, partition, selected)
            results = [_result(key, judgement, assessed.version_id, index) for judgement, index in assessed.recorded]
        yield from results

    return checks


def assess(door: "Door", stage: Stage, partition: str, judge: Judge, *, checks: Collection[str]) -> Assessed:
    """Judges the head of an address, once, and stores the verdicts of these checks."""
    manifest, dataset = door.assess(stage, partition)
    judgements = [judgement for judgement in judge(dataset) if judgement.check in checks]
    indexes = [
        door.record_verdict(manifest, check=j.check, passed=j.passed, blocking=j.blocking, facts=j.facts)
        for j in judgements
    ]
    return Assessed(manifest.version_id, tuple(zip(judgements, indexes, strict=True)))


def _result(key: dg.AssetKey, judgement: Judgement, version_id: str, audit_index: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=judgement.check,
        passed=judgement.passed,
        severity=dg.AssetCheckSeverity.ERROR if judgement.blocking else dg.AssetCheckSeverity.WARN,
        description=Redactor().redact(judgement.words),
        metadata={
            **_shown(judgement),
            **figures_metadata(judgement.pictures),
            "version": version_id,
            "audit_log_entry": audit_log_entry(audit_index),
        },
    )


def _shown(judgement: Judgement) -> dict[str, Fact | dg.MetadataValue]:
    redacted = [_redacted(row) for row in (judgement.table or (judgement.facts,))]
    if not judgement.table:
        return dict(redacted[0])
    return {"details": dg.MetadataValue.table([dg.TableRecord(row) for row in redacted])}


def _redacted(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    redact = Redactor().redact
    return {name: redact(value) if isinstance(value, str) else value for name, value in facts.items()}
