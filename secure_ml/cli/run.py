"""`secure-ml run`: a project through its stages, in the order of the graph."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from secure_ml.access.stages import Stage
from secure_ml.cli.opened import DEFAULT_ENVIRONMENT, EnvironmentOption, find_project, open_state, opened
from secure_ml.cli.screen import err, out, progress, show_json
from secure_ml.settings import Profile, read_settings

if TYPE_CHECKING:
    from secure_ml.orchestration.runs import Outcome, Planned


def run(
    name: Annotated[str, typer.Argument(help="Name of the project.")],
    until: Annotated[Stage, typer.Option(help="Last stage that is materialised.")] = Stage.REGISTERED,
    partition: Annotated[str | None, typer.Option(help="Only this partition, up to `masked`.")] = None,
    environment: EnvironmentOption = DEFAULT_ENVIRONMENT,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Materialise a project's stages with their checks; every run is recorded in Dagster and in the audit log."""
    outcomes = run_project(name, environment=environment, until=until, partition=partition)
    if as_json:
        show_json(
            {
                "project": name,
                "environment": environment,
                "success": outcomes[-1].success,
                "runs": [_json(o) for o in outcomes],
            }
        )
    elif outcomes[-1].success:
        reached = outcomes[-1].planned.stages[-1]
        runs = "1 run" if len(outcomes) == 1 else f"{len(outcomes)} runs"
        out.print(
            f"[green]{escape(name)} is {reached}[/] in {environment}, in {runs}. `secure-ml status` shows where it is."
        )
    if not outcomes[-1].success:
        raise typer.Exit(1)


def run_project(name: str, *, environment: str, until: Stage, partition: str | None) -> Sequence["Outcome"]:
    """Runs it with a progress bar, and tells of every check that did not pass as it comes.

    In the profile `personal` the runs execute in this process; in the others as the runs' own user.

    Raises:
        RunError: the partition does not exist, or runs cannot be started from here.
        InstallationError: the project does not exist.
    """
    from secure_ml.orchestration.runs import execute, plan

    if read_settings(os.environ).profile is not Profile.PERSONAL:
        return _launch_project(name, environment=environment, until=until, partition=partition)
    with opened(environment) as installation:
        project = installation.project(name).seen_in(environment)
        runs = plan(project, until=until, partition=partition)
        client, definitions, instance = installation.installation, installation.definitions, installation.instance
        with _progress(runs) as on_done:
            return execute(client, definitions, instance, project, environment, runs, on_done=on_done)


def _launch_project(name: str, *, environment: str, until: Stage, partition: str | None) -> Sequence["Outcome"]:
    from secure_ml.cli.launcher import launch
    from secure_ml.orchestration.runs import plan

    client = open_state()
    project = find_project(client, name).seen_in(environment)
    runs = plan(project, until=until, partition=partition)
    with _progress(runs) as on_done:
        return launch(client, project, environment, runs, on_done=on_done)


@contextmanager
def _progress(runs: Sequence["Planned"]) -> Iterator[Callable[["Outcome"], None]]:
    """A bar that moves with each run, and tells what went wrong in it."""
    with progress() as bar:
        task = bar.add_task(_doing(runs[0].stages, runs[0].partition), total=len(runs))
        done = 0

        def on_done(outcome: "Outcome") -> None:
            nonlocal done
            bar.advance(task)
            tell(outcome)
            done += 1
            if done < len(runs):
                bar.update(task, description=_doing(runs[done].stages, runs[done].partition))

        yield on_done


def tell(outcome: "Outcome") -> None:
    """Failed checks and errors of a run, for people."""
    where = f" [{outcome.planned.partition}]" if outcome.planned.partition else ""
    for check, words, blocking in outcome.failed_checks:
        mark = "[bold red]check failed[/]" if blocking else "[yellow]check warns[/]"
        err.print(f"{mark} {escape(check + where)}: {escape(words)}", soft_wrap=True)
    for failure in outcome.failures:
        err.print(f"[bold red]error[/]{escape(where)} {escape(failure)}", soft_wrap=True)
    told = bool(outcome.failures) or any(blocking for _, _, blocking in outcome.failed_checks)
    if not outcome.success and not told:
        words = f"the run failed outside of its stages; Dagster's record of run {outcome.run_id} says why"
        err.print(f"[bold red]error[/]{escape(where)} {words}", soft_wrap=True)


def _doing(stages: Sequence[Stage], partition: str) -> str:
    names = f"{stages[0]} → {stages[-1]}" if len(stages) > 1 else str(stages[0])
    return f"{names} {partition}".strip()


def _json(outcome: "Outcome") -> dict[str, object]:
    return {
        "run_id": outcome.run_id,
        "stages": [str(stage) for stage in outcome.planned.stages],
        "partition": outcome.planned.partition,
        "success": outcome.success,
        "failures": list(outcome.failures),
        "failed_checks": [
            {"check": check, "words": words, "blocking": blocking} for check, words, blocking in outcome.failed_checks
        ],
    }
