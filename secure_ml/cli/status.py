"""`secure-ml status`: what stands in an installation, what its profile leaves open, and what does not hold here."""

import dataclasses
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from secure_ml.access.promotions import BEFORE
from secure_ml.access.stages import CHECKS, Stage
from secure_ml.cli.opened import DEFAULT_ENVIRONMENT, EnvironmentOption, open_state
from secure_ml.cli.screen import error_lines, out, plain_table, show_json
from secure_ml.cli.summary import plain
from secure_ml.policy.projects import find_projects
from secure_ml.posture import Shortfall, local_shortfalls
from secure_ml.privacy.charging import spent_budget
from secure_ml.settings import NOT_PROTECTED, Profile
from secure_ml.vault.client import Client
from secure_ml.vault.describing import Description, describe_project
from secure_ml.vault.manifest import Manifest
from secure_ml.vault.posture_reading import describe_posture
from secure_ml.vault.promotion import list_promotions


@dataclass(frozen=True)
class StageStatus:
    """The versions of a stage that are read today.

    Attributes:
        versions: how many, one for each partition.
        rows: rows in all of them.
        closed_by_checks: versions that a failed blocking check closes to readers.
        unchecked: versions that lack the verdict of a check.
        warnings: versions with a failed check that only warns.
    """

    versions: int
    rows: int
    closed_by_checks: int
    unchecked: int
    warnings: int


@dataclass(frozen=True)
class ProjectStatus:
    """A project in one environment.

    Attributes:
        stages: by name.
        epsilon_spent: what it spent of its privacy budget, as an exact decimal.
        delta_spent: as well.
        given_masked: whether that is the loss given the masked table only, since the model learns from columns
            in which the policy suppresses.
        promoted: whether it was promoted there as it is today; None where nothing is promoted to.
        log_entries: entries of the audit log.
    """

    stages: Mapping[str, StageStatus]
    epsilon_spent: str
    delta_spent: str
    given_masked: bool
    promoted: bool | None
    log_entries: int


def status(
    environment: EnvironmentOption = DEFAULT_ENVIRONMENT,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show projects, stages, checks, privacy budget and audit log, and what does not hold here."""
    installation = open_state()
    projects = {
        name: project_status(installation, name, environment=environment) for name in sorted(installation.projects)
    }
    settings, entries = installation.settings, max((found.log_entries for found in projects.values()), default=0)
    shortfalls = (*describe_posture(installation.kernel), *local_shortfalls(settings, os.environ))
    unfinished: list[str] = []
    find_projects((settings.projects,), unfinished=lambda error: unfinished.extend(error_lines(error)))
    if as_json:
        show_json(
            {
                "home": str(settings.home),
                "keys": str(settings.keys),
                "profile": str(settings.profile),
                "environment": environment,
                "not_protected": list(NOT_PROTECTED[settings.profile]),
                "shortfalls": {found.name: found.words for found in shortfalls},
                "audit_log_entries": entries,
                "unfinished": unfinished,
                "projects": {name: dataclasses.asdict(found) for name, found in projects.items()},
            }
        )
        return
    out.print(f"Home       {escape(str(settings.home))}", soft_wrap=True)
    out.print(f"Keys       {escape(str(settings.keys))}", soft_wrap=True)
    out.print(f"Audit log  {entries} entries")
    for name, found in projects.items():
        promoted = {None: "", True: ", promoted", False: ", not promoted as it is today"}[found.promoted]
        given = " given the masked table, whose rare combinations are suppressed" if found.given_masked else ""
        words = f"{environment}{promoted}, ε {found.epsilon_spent} spent{given}"
        out.print(f"\n[bold]{escape(name)}[/] in {words}", soft_wrap=True)
        out.print(_table(found))
    if unfinished:
        out.print("\n[yellow]waits for its steward[/]")
    for words in unfinished:
        out.print(f"  - {escape(words)}", soft_wrap=True)
    show_not_protected(settings.profile)
    _show_shortfalls(shortfalls)


def project_status(installation: Client, name: str, *, environment: str) -> ProjectStatus:
    """Versions and checks by stage, and the budget, from signed manifests and verdicts only."""
    policy = installation.policy_of(name)
    by_stage: dict[Stage, list[Manifest]] = defaultdict(list)
    described = describe_project(installation.kernel, environment=environment, project=name)
    for manifest in described.manifests:
        by_stage[Stage(manifest.address.stage)].append(manifest)
    spent = spent_budget(installation.kernel, environment=environment, project=name)
    promoted = None
    if environment in BEFORE:
        listed = list_promotions(installation.kernel, environment=environment, project=name)
        promoted = any(holds for _, holds in listed)
    return ProjectStatus(
        {str(stage): _stage_status(described, stage, by_stage[stage]) for stage in Stage},
        plain(spent.epsilon),
        plain(spent.delta),
        policy.learns_from_suppressed,
        promoted,
        described.log_entries,
    )


def show_not_protected(profile: Profile) -> None:
    """What the profile does not promise, in words."""
    out.print(f"\nThe profile [bold]{profile}[/] does [bold]not[/] protect against")
    for words in NOT_PROTECTED[profile]:
        out.print(f"  - {escape(words)}", soft_wrap=True)


def _show_shortfalls(shortfalls: Sequence[Shortfall]) -> None:
    if shortfalls:
        out.print("\nOn this installation")
    for found in shortfalls:
        out.print(f"  - {escape(found.words)}", soft_wrap=True)


def _stage_status(described: Description, stage: Stage, manifests: list[Manifest]) -> StageStatus:
    verdicts = [described.verdicts_on(manifest) for manifest in manifests]
    return StageStatus(
        versions=len(manifests),
        rows=sum(manifest.rows for manifest in manifests),
        closed_by_checks=sum(any(v.blocking and not v.passed for v in found.values()) for found in verdicts),
        unchecked=sum(any(check not in found for check in CHECKS[stage]) for found in verdicts),
        warnings=sum(any(not v.passed and not v.blocking for v in found.values()) for found in verdicts),
    )


def _table(found: ProjectStatus) -> Table:
    table = plain_table("  stage", "versions", "rows", "checks")
    for column in table.columns[1:3]:
        column.justify = "right"
    for name, stage in found.stages.items():
        table.add_row("  " + name, str(stage.versions), f"{stage.rows:,}", _words(Stage(name), stage))
    return table


def _words(stage: Stage, found: StageStatus) -> str:
    if not found.versions:
        return "-"
    if found.closed_by_checks:
        return f"[red]{found.closed_by_checks} closed by a failed check[/]"
    if found.unchecked:
        return f"[yellow]{found.unchecked} not checked yet[/]"
    if found.warnings:
        return f"[yellow]{found.warnings} with a warning[/]"
    return "passed" if CHECKS[stage] else "none to pass"
