"""`secure-ml reveal`: one masked value given back to a data steward, for a case."""

import sys
from typing import Annotated

import typer
from rich.markup import escape

from secure_ml.cli.opened import DEFAULT_ENVIRONMENT, EnvironmentOption, find_project, open_state
from secure_ml.cli.screen import err, harmless
from secure_ml.protection.mask.revealing import LONGEST_CELL, RevealValue, reveal


def reveal_value(
    project: Annotated[str, typer.Argument(help="The project that masked the value.")],
    column: Annotated[str, typer.Argument(help="The column that it stands in.")],
    case: Annotated[str, typer.Option(help="The number of the case that it is needed for. Name no person.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit log. Name no person.")],
    partition: Annotated[str, typer.Option(help="The partition that it stands in, where the table has some.")] = "",
    environment: EnvironmentOption = DEFAULT_ENVIRONMENT,
) -> None:
    """Give back one value that a reversible treatment masked: to a data steward, and the log has why.

    The masked value is read from standard input, or asked for without being shown: an argument would stand in the list
    of processes and in the shell's history. The value goes to standard output, once.
    """
    installation = open_state()
    find_project(installation, project)
    answer = reveal(
        installation.kernel,
        RevealValue(
            environment=environment,
            project=project,
            partition=partition,
            column=column,
            masked_value=_given(),
            case=case,
            reason=reason,
        ),
    )
    err.print(f"[green]revealed[/] one value of {escape(column)}; the log has it as entry {answer.audit_index}")
    value = harmless(answer.value) if sys.stdout.isatty() else answer.value
    sys.stdout.write(value + "\n")


def _given() -> str:
    """One masked value, as it was typed or piped in."""
    if sys.stdin.isatty():
        typed: str = typer.prompt("masked value", hide_input=True, err=True)
        return typed
    value, _, more = sys.stdin.read(LONGEST_CELL + 2).partition("\n")
    if more or not value:
        raise typer.BadParameter("give one masked value on standard input, in one line")
    return value
