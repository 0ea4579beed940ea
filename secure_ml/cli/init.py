"""`secure-ml init`: a drafted policy for a table that nobody here has seen."""

import os
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from secure_ml.cli.screen import err, out, plain_table, show_json


def init(
    name: Annotated[str, typer.Argument(help="Name of the new project: lower-case letters, digits and '_'.")],
    data: Annotated[Path, typer.Option(help="CSV or Parquet file.")],
    label: Annotated[str, typer.Option(help="Column that the model shall predict; two classes.")],
    subject: Annotated[str | None, typer.Option(help="Column that is the same in every row of one person.")] = None,
    consent: Annotated[
        str | None, typer.Option(help="Column of the consent to this purpose, where more than one speaks of consent.")
    ] = None,
    accept: Annotated[bool, typer.Option(help="Take drafted treatments and bounds as the steward's own.")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of the policy; below the installation by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Look at a table, classify its columns, and draft a commented policy with a treatment for each."""
    from secure_ml.definitions import open_installation
    from secure_ml.protection.draft import check_name, draft_policy, write_draft
    from secure_ml.settings import read_settings
    from secure_ml.vault.describing import RecordDrafting

    settings = read_settings(os.environ)
    target = folder if folder is not None else settings.projects / name
    check_name(name)
    open_installation().kernel.send(RecordDrafting(project=name))
    drafted = draft_policy(
        data,
        project=name,
        label=label,
        subject=subject,
        consent=consent,
        accept=accept,
        folder=target,
        today=date.today(),
    )
    file = write_draft(drafted, target)
    if as_json:
        show_json(
            {
                "policy": str(file),
                "columns": [vars(column) for column in drafted.columns],
                "open_questions": list(drafted.open_questions),
                "to_confirm": list(drafted.to_confirm),
                "warnings": list(drafted.warnings),
            }
        )
        return
    table = plain_table("column", "found in it", "treatment", "use")
    for column in drafted.columns:
        table.add_row(*(escape(text) for text in (column.column, column.found, column.treatment, column.use)))
    out.print(table)
    for warning in drafted.warnings:
        err.print(f"[yellow]note[/] {escape(warning)}", soft_wrap=True)
    out.print(f"\nDrafted {escape(str(file))}", soft_wrap=True)
    if drafted.open_questions:
        out.print("Before it runs, the steward fills in:")
        for question in drafted.open_questions:
            out.print(f"  - {escape(question)}", soft_wrap=True)
    out.print("Drafted, and the steward's to confirm or change:")
    for question in drafted.to_confirm:
        out.print(f"  - {escape(question)}", soft_wrap=True)
    found = "" if folder is None else f" (it is looked for in {settings.projects} and in secure_ml/defs only)"
    first = "Edit the draft, then" if drafted.open_questions else "Then"
    out.print(f"\n{first}: secure-ml run {escape(name + found)}", soft_wrap=True)
