"""Running a project from a program, in the order of its graph: partition by partition, then the whole.

Belongs here: the order, and what each run came to. Must stay out: printing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
from dagster import AssetCheckEvaluation
from dagster._core.execution.plan.objects import StepFailureData
from dagster._core.utils import make_new_run_id

from secure_ml.access.stages import PARTITIONED, Stage
from secure_ml.orchestration.keys import asset_key, known_partitions, partitions_of
from secure_ml.orchestration.project import job_names
from secure_ml.orchestration.records import safe_text
from secure_ml.orchestration.resources import TICKET_TAG, ticket_tag
from secure_ml.policy.projects import Project

if TYPE_CHECKING:
    from secure_ml.vault.client import Client

_MASKED = re.compile(r"error ID [0-9a-f-]{36}")
_CHECK_FAILED = "DagsterAssetCheckFailedError"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class RunError(Exception):
    """A run that cannot be asked for; the text says what there is."""


@dataclass(frozen=True)
class Planned:
    """One Dagster run.

    Attributes:
        job: the job's name.
        stages: stages that it materialises.
        partition: its partition, or "".
    """

    job: str
    stages: tuple[Stage, ...]
    partition: str


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        planned: what was asked for.
        run_id: Dagster's id of the run.
        success: whether every step and every blocking check passed.
        failures: for each failed step, its redacted description.
        failed_checks: checks that did not pass, with their words and whether they block.
    """

    planned: Planned
    run_id: str
    success: bool
    failures: tuple[str, ...]
    failed_checks: tuple[tuple[str, str, bool], ...]


def plan(project: Project, *, until: Stage, partition: str | None) -> tuple[Planned, ...]:
    """The runs that bring a project up to a stage.

    Args:
        project: the project.
        until: last stage that is materialised.
        partition: only this partition; all by default. Stages behind `masked` need all and are left out with one.

    Raises:
        RunError: there is no such partition.
    """
    known = known_partitions(project.policy)
    if partition is not None and partition not in known:
        raise RunError(f"{project.policy.project} has no partition {partition!r}; it has {_listed(known)}")
    protect, train = job_names(project.policy.project)
    stages = list(Stage)[: list(Stage).index(until) + 1]
    by_partition = tuple(stage for stage in stages if stage in PARTITIONED)
    whole = tuple(stage for stage in stages if stage not in PARTITIONED)
    runs = [Planned(protect, by_partition, key) for key in ((partition,) if partition is not None else known)]
    if whole and partition is None:
        runs.append(Planned(train, whole, ""))
    return tuple(runs)


def execute(
    client: "Client",
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    project: Project,
    environment: str,
    runs: Sequence[Planned],
    *,
    on_done: Callable[[Outcome], None],
) -> list[Outcome]:
    """Runs them in order, in this process, recorded in the instance; stops at the first that fails."""
    outcomes = []
    name = project.policy.project
    for planned in runs:
        run_id = make_new_run_id()
        ticket = client.ticket(environment=environment, project=name, run_id=run_id, stages=planned.stages)
        tag = ticket_tag(ticket)
        outcome = execute_one(definitions, instance, project, environment, planned, run_id=run_id, ticket=tag)
        outcomes.append(outcome)
        on_done(outcome)
        if not outcome.success:
            break
    return outcomes


def execute_one(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    project: Project,
    environment: str,
    planned: Planned,
    *,
    run_id: str,
    ticket: str,
) -> Outcome:
    """Executes one run in this process, under the ticket that it was given."""
    job = definitions.resolve_job_def(planned.job)
    partitioned = planned.partition != "" and partitions_of(project.policy) is not None
    result = job.execute_in_process(
        instance=instance,
        asset_selection=[asset_key(environment, project.policy.project, stage) for stage in planned.stages],
        partition_key=planned.partition if partitioned else None,
        run_config=_QUIET,
        raise_on_error=False,
        run_id=run_id,
        tags={TICKET_TAG: ticket},
    )
    return _outcome(planned, result)


def _outcome(planned: Planned, result: dg.ExecuteInProcessResult) -> Outcome:
    evaluations: Sequence[AssetCheckEvaluation] = result.get_asset_check_evaluations()
    failed = tuple(
        (
            f"{e.asset_key.path[-1]}.{e.check_name}",
            safe_text(e.description or ""),
            e.severity is dg.AssetCheckSeverity.ERROR,
        )
        for e in evaluations
        if not e.passed
    )
    failures = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.error is not None and data.error.cls_name == _CHECK_FAILED:
                continue  # told as a failed check
            failures.append(_failure(event.step_key, data))
    success = result.success and not any(blocking for _, _, blocking in failed)
    return Outcome(planned, result.run_id, success, tuple(failures), failed)


def _failure(step: str | None, data: StepFailureData) -> str:
    """The step's own redacted words; of an error that it did not foresee, the class only."""
    if data.user_failure_data is not None and data.user_failure_data.description:
        return safe_text(data.user_failure_data.description)
    error = data.error.cause if data.error is not None and data.error.cause is not None else data.error
    if error is None:
        return f"{step} failed"
    masked = _MASKED.search(error.message)
    return f"{step} failed; where, is told above under {masked[0]}" if masked else f"{step} failed ({error.cls_name})"


def _listed(keys: Sequence[str]) -> str:
    if tuple(keys) == ("",):
        return "none: it is one piece"
    return ", ".join(keys) if len(keys) <= 12 else f"{keys[0]} to {keys[-1]}"
