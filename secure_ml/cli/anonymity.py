"""`secure-ml anonymity`: the least generalisation of a policy's ladders that meets what it asks of anonymity."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.markup import escape

from secure_ml.cli.opened import find_project
from secure_ml.cli.screen import err, out, plain_table, show_json


def anonymity(
    project: Annotated[str, typer.Argument(help="The project whose policy has anonymity.ladders.")],
    data: Annotated[
        list[Path], typer.Option(help="CSV or Parquet file; given more than once, each is a version of its own.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Find the treatments that cost least and keep as many people alike as the policy asks, in each file."""
    from secure_ml.definitions import open_installation
    from secure_ml.protection.anonymity.search import search
    from secure_ml.protection.draft.table import recognise
    from secure_ml.vault.describing import RecordDrafting

    installation = open_installation()
    policy = find_project(installation, project).policy
    installation.kernel.send(RecordDrafting(project=project))
    found = search([recognise(file).open_for(policy) for file in data], policy)
    treatments = {name: rung.model_dump(mode="json", exclude_none=True) for name, rung in found.treatments.items()}
    reached = [
        {
            "file": str(file),
            "k": measured.k,
            "l": dict(measured.diversity),
            "t": dict(measured.distance),
            "prosecutor_risk": measured.risks.prosecutor,
            "marketer_risk": measured.risks.marketer,
            "without_quasi_identifiers": measured.suppressed,
        }
        for file, measured in zip(data, found.measured, strict=True)
    ]
    together = None if found.together is None else asdict(found.together)
    if as_json:
        figures = {"loss": found.loss, "tried": found.tried, "reached": reached, "together": together}
        show_json({"treatments": treatments, **figures})
        return
    table = plain_table("file", "k", "l", "t", "prosecutor risk", "marketer risk", "without quasi-identifiers")
    for row in reached:
        table.add_row(*(escape(_cell(value)) for value in row.values()))
    out.print(table)
    if found.together is not None and found.together.in_several:
        out.print(
            f"\n{found.together.in_several} of {found.together.subjects} subjects are in several classes or files. "
            f"{found.together.fewer_than_k} subjects share all that their rows and files say together with fewer than "
            "k - 1 others: k holds for each file, and not for somebody who can follow a subject through them.",
            soft_wrap=True,
        )
    told = f"Tried {found.tried} of {found.nodes} combinations; information loss {found.loss:.3f}"
    out.print(f"\n{told}. Write under columns of the policy:", soft_wrap=True)
    for name, treatment in treatments.items():
        written = yaml.safe_dump({"treatment": treatment}, default_flow_style=True, width=1 << 20).strip()[1:-1]
        out.print(f"  {escape(name)}:\n    {escape(written)}", soft_wrap=True)
    err.print(
        "[yellow]note[/] these treatments were chosen by looking at the data, which no privacy loss covers",
        soft_wrap=True,
    )


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {figure:.3g}" for name, figure in value.items()) or "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
