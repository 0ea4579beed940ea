"""`secure-ml generate`: tables of synthetic people, as large as wanted."""

from pathlib import Path
from typing import Annotated

import typer

from secure_ml.cli.screen import out, progress, show_json

app = typer.Typer(help="Make tables of synthetic people.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Make tables of synthetic people."""


@app.command()
def loans(
    rows: Annotated[int, typer.Option(help="Applications in all.", min=1)] = 24_000,
    months: Annotated[int, typer.Option(help="Monthly files.", min=1)] = 12,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 2024,
    directory: Annotated[Path, typer.Option("--out", help="Folder of the CSV files.")] = Path("data/loans"),
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Loan applications to an Indian bank, one CSV file a month; see data/README.md for what is planted in them."""
    from secure_ml.recipes.loans import write_loans

    with progress() as bar:
        task = bar.add_task("writing applications", total=rows)
        files = write_loans(
            directory, rows=rows, months=months, seed=seed, on_progress=lambda written: bar.advance(task, written)
        )
    if as_json:
        show_json({"files": [str(file) for file in files], "rows": rows, "seed": seed})
    else:
        out.print(f"{rows} applications in {len(files)} files under {directory}", soft_wrap=True)
