"""`secure-ml demo`: the shipped loan table from raw to a registered model, and what was done, in one page."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlparse

import typer
from rich.markup import escape
from rich.table import Table

from secure_ml.access.stages import Stage
from secure_ml.cli.opened import ENVIRONMENT, Opened, opened
from secure_ml.cli.run import run_project
from secure_ml.cli.screen import out, show_json
from secure_ml.cli.status import show_not_protected
from secure_ml.installation import Installation
from secure_ml.policy.project import Policy
from secure_ml.vault.manifest import Manifest

_PROJECT = "loan_approval"


def demo(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False) -> None:
    """Train a loan model on protected data, and say what was found, what was done, and what it cost."""
    with opened() as installation:
        outcomes = run_project(installation, _PROJECT, until=Stage.REGISTERED, partition=None)
        if not outcomes[-1].success:
            raise typer.Exit(1)
        content = summary(installation.installation, _PROJECT)
        if as_json:
            show_json(content)
        else:
            _show(installation, content)


def summary(installation: Installation, project: str) -> dict[str, object]:
    """What the signed manifests and verdicts say about a finished run; no data is opened."""
    manifests = installation.versions.heads(environment=ENVIRONMENT, project=project)
    latest = {Stage(m.address.stage): m for m in manifests}
    masked = [m for m in manifests if m.address.stage == Stage.MASKED]
    estimator = installation.policy_of(project).training.estimator
    spent = installation.ledger.spent(f"{ENVIRONMENT}/{project}")
    validated = latest[Stage.VALIDATED]
    return {
        "project": project,
        "partitions": len(masked),
        "rows_raw": sum(m.rows for m in manifests if m.address.stage == Stage.RAW),
        "rows_masked": sum(m.rows for m in masked),
        "columns": _columns(installation.policy_of(project), manifests),
        "estimator": estimator.kind,
        "guarantee": latest[Stage.TRAINED].summary.get("guarantee", ""),
        "epsilon_spent": str(spent.epsilon),
        "delta_spent": str(spent.delta),
        "figures": dict(validated.summary),
        "model_card": _card(latest[Stage.REGISTERED]),
        "registered": dict(latest[Stage.REGISTERED].summary),
        "audit_log_entries": installation.log.size(),
    }


def _columns(policy: Policy, manifests: list[Manifest]) -> list[dict[str, object]]:
    """What was found in each column, and what was done to it."""
    from secure_ml.protection.mask.describe import describe_treatment

    found: dict[str, Counter[str]] = {name: Counter() for name in policy.columns}
    unknown: Counter[str] = Counter()
    for manifest in manifests:
        if manifest.address.stage == Stage.CLASSIFIED:
            for name in found:
                found[name][str(manifest.summary.get(f"found.{name}", "none"))] += 1
        if manifest.address.stage == Stage.MASKED:
            unknown.update({n: int(manifest.summary.get(f"unknown.{n}", 0)) for n in policy.columns})
    return [
        {
            "column": name,
            "found": found[name].most_common(1)[0][0],
            "treatment": describe_treatment(column),
            "use": column.use.kind,
            "unknown_cells": unknown[name],
        }
        for name, column in policy.columns.items()
    ]


def _card(registered: Manifest) -> str:
    location = urlparse(str(registered.summary["artefacts"]))
    return str(Path(unquote(location.path)) / "model_card.md")


def _show(opened: Opened, content: dict[str, object]) -> None:
    table = Table(title="What was found, and what was done to it", title_justify="left", box=None, pad_edge=False)
    for heading in ("column", "found", "treatment", "use", "unreadable cells"):
        table.add_column(heading, justify="right" if heading == "unreadable cells" else "left")
    columns = content["columns"]
    assert isinstance(columns, list)  # noqa: S101 - made by summary
    for row in columns:
        table.add_row(*(escape(str(value)) for value in row.values()))
    out.print(table)
    figures = content["figures"]
    assert isinstance(figures, Mapping)  # noqa: S101 - made by summary
    out.print(
        f"\n{content['rows_raw']:,} rows in {content['partitions']} partitions; {content['rows_masked']:,} are used."
    )
    out.print(f"Model: {content['estimator']}, {content['guarantee']}")
    out.print(f"Privacy budget spent: ε {content['epsilon_spent']}, δ {content['delta_spent']}")
    for name, value in figures.items():
        out.print(f"  {name.replace('_', ' ')}: {value}")
    out.print(f"\nModel card: {escape(str(content['model_card']))}", soft_wrap=True)
    out.print(f"Audit log: {content['audit_log_entries']} entries; `secure-ml audit verify` checks them")
    out.print("Dagster's pages on this installation: `make ui`, then http://127.0.0.1:3000")
    show_not_protected(opened.installation)
