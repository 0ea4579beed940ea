"""`secure-ml reveal`: one masked value given back to a data steward, for a case."""

import sys
from typing import Annotated

import typer
from rich.markup import escape

from secure_ml.cli.opened import DEFAULT_ENVIRONMENT, EnvironmentOption, find_project, open_state
from secure_ml.cli.screen import err, harmless
from secure_ml.protection.mask.revealing import LONGEST_CELL, RevealValue, reveal

_NOT_UNICODE = "a byte of it is not UTF-8: see that the terminal's locale is, such as LC_ALL=C.UTF-8, and try again"


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
    masked_value = _given()
    if not all(map(_is_unicode, (column, partition, masked_value, case, reason))):
        raise typer.BadParameter(
            "a byte is not UTF-8: set the terminal's locale, such as LC_ALL=C.UTF-8, and try again"
        )
    answer = reveal(
        installation.kernel,
        RevealValue(
            environment=environment,
            project=project,
            partition=partition,
            column=column,
            masked_value=masked_value,
            case=case,
            reason=reason,
        ),
    )
    err.print(f"[green]revealed[/] one value of {escape(column)}; the log has it as entry {answer.audit_index}")
    value = harmless(answer.value) if sys.stdout.isatty() else answer.value
    sys.stdout.write(value + "\n")


def _is_unicode(text: str) -> bool:
    """Whether it can be sent; Python takes a byte that is no UTF-8 for half a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _given() -> str:
    """One masked value, as it was typed or piped in."""
    if sys.stdin.isatty():
        typed: str = typer.prompt("masked value", hide_input=True, err=True)
        return typed
    try:
        value, _, more = sys.stdin.read(LONGEST_CELL + 2).partition("\n")
    except UnicodeDecodeError:
        raise typer.BadParameter(_NOT_UNICODE) from None
    if more or not value:
        raise typer.BadParameter("give one masked value on standard input, in one line")
    return value
