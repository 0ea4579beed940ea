"""How commands speak: to people on a terminal, to programs as JSON, and of errors in one safe line.

Belongs here: consoles, progress, the error boundary. Must stay out: what is said.
"""

import json
import logging
import os
import sys
import warnings
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from secure_ml.guard.errors import describe
from secure_ml.policy.load import PolicyError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def show_json(content: Mapping[str, object]) -> None:
    """One JSON object on standard output, for programs."""
    sys.stdout.write(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def show_error(error: BaseException) -> None:
    """The error on standard error, a line for each fault of a policy, without a value of a person."""
    for line in error_lines(error):
        err.print(f"[bold red]error[/] {escape(line)}", soft_wrap=True)


def error_lines(error: BaseException) -> list[str]:
    """What `describe` says of the error; of each fault apart, where a policy has several."""
    faults = error.faults if isinstance(error, PolicyError) else ()
    return [describe(PolicyError(fault)) for fault in faults] or [describe(error)]


def harmless(text: str) -> str:
    """Text of unknown origin without what a terminal would obey: control characters and escape sequences."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def plain_table(*headings: str) -> Table:
    """A table without lines, in which nothing is cut off: what does not fit is folded."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def quiet_libraries() -> None:
    """Keeps off the terminal what nobody asked for: progress of MLflow and Alembic, notes of Dagster on itself.

    Their warnings about what is done still come. MLflow reads its variable when it is imported.
    """
    os.environ["MLFLOW_LOGGING_LEVEL"] = "WARNING"
    logging.getLogger("alembic").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=r".* is currently in (beta|preview), and may have breaking changes")
    # Commands tell of a policy that cannot be used where it matters to them.
    logging.getLogger("secure_ml.definitions").setLevel(logging.ERROR)


def progress() -> Progress:
    """A bar for long work, on standard error, so that standard output stays clean; none where nobody looks."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
