"""`secure-ml demo`: the shipped loan table from raw to a registered model, and what was done, in one page."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from secure_ml.access.stages import Stage
from secure_ml.cli.opened import DEFAULT_ENVIRONMENT, EnvironmentOption, open_state
from secure_ml.cli.run import run_project
from secure_ml.cli.screen import out, plain_table, show_json
from secure_ml.cli.status import show_not_protected
from secure_ml.cli.summary import ColumnSummary, ProjectSummary, summarise

_PROJECT = "loan_approval"
_USES = {
    "feature": "learned from",
    "fairness": "to compare groups",
    "review": "for reviewers",
    "administrative": "administrative",
    "never": "not needed",
}
_GAPS = {"demographic_parity_difference": "selection rate", "equalized_odds_difference": "error rates"}


def demo(
    environment: EnvironmentOption = DEFAULT_ENVIRONMENT,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Train a loan model on protected data, and say what was found, what was done, and what it cost."""
    outcomes = run_project(_PROJECT, environment=environment, until=Stage.REGISTERED, partition=None)
    if not outcomes[-1].success:
        raise typer.Exit(1)
    client = open_state()
    summary = summarise(client, _PROJECT, environment=environment)
    if as_json:
        show_json(dataclasses.asdict(summary))
    else:
        show_summary(summary)
        show_not_protected(client.settings.profile)


def show_summary(summary: ProjectSummary) -> None:
    """The summary on one page of a terminal of 80 columns."""
    out.print(
        f"[bold]{escape(summary.project)}[/]: {summary.rows_raw:,} rows in {summary.partitions} partitions, of which "
        f"{summary.rows_masked:,} are used.\n",
        soft_wrap=True,
    )
    out.print(_columns_table(summary.columns))
    if summary.singled_out:
        out.print("\n", _singled_out_table(summary.singled_out), sep="")
    out.print(f"\nModel       {summary.estimator}, {escape(summary.guarantee)}", soft_wrap=True)
    out.print(f"Budget      {_budget(summary)}", soft_wrap=True)
    out.print(f"Test side   {_performance(summary.figures)}", soft_wrap=True)
    warned = f", [yellow]warned: {escape(', '.join(summary.checks.warned))}[/]" if summary.checks.warned else ""
    out.print(f"Checks      {summary.checks.passed} passed{warned}\n", soft_wrap=True)
    out.print(_gaps_table(summary.figures))
    out.print(f"\nModel card  {escape(summary.model_card)}", soft_wrap=True)
    out.print(f"Audit log   {summary.audit_log_entries} entries; `secure-ml audit verify` checks them", soft_wrap=True)
    out.print("Pages       `make ui`, then http://127.0.0.1:3000", soft_wrap=True)


def _columns_table(columns: tuple[ColumnSummary, ...]) -> Table:
    table = plain_table("column", "found in it", "what was done")
    for use, words in _USES.items():
        of_use = [column for column in columns if column.use == use]
        if of_use:
            table.add_row(f"[bold]{words}[/]")
        for column in of_use:
            unknown = f"; {column.unknown_cells} unreadable" if column.unknown_cells else ""
            row = ("  " + column.column, column.found or "-", column.treatment + unknown)
            table.add_row(*(escape(cell) for cell in row))
    return table


def _singled_out_table(singled_out: Mapping[str, str]) -> Table:
    table = plain_table("before protection, points to one person", "in (latest partition)")
    for columns, share in singled_out.items():
        table.add_row("  " + escape(columns), share)
    return table


def _gaps_table(figures: Mapping[str, int | float | str]) -> Table:
    table = plain_table("largest difference between groups", *_GAPS.values())
    attributes = dict.fromkeys(name.partition(".")[2] for name in figures if "." in name)
    for attribute in attributes:
        gaps = (str(figures.get(f"{metric}.{attribute}", "-")) for metric in _GAPS)
        table.add_row("  " + escape(attribute), *gaps)
    return table


def _budget(summary: ProjectSummary) -> str:
    if summary.epsilon_budget is None:
        return "none, and none is spent"
    return (
        f"ε {summary.epsilon_spent} of {summary.epsilon_budget}, "
        f"δ {summary.delta_spent} of {summary.delta_budget} spent so far"
    )


def _performance(figures: Mapping[str, int | float | str]) -> str:
    return ", ".join(f"{_metric(name)} {value}" for name, value in figures.items() if "." not in name)


def _metric(name: str) -> str:
    return name.replace("_", " ").replace("auc", "AUC").replace("f1", "F1")
