"""`secure-ml status`: what stands in an installation, and what its profile does not protect against."""

from collections import defaultdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from secure_ml.access.stages import CHECKS, Stage
from secure_ml.cli.opened import ENVIRONMENT, open_state
from secure_ml.cli.screen import out, show_json
from secure_ml.installation import Installation
from secure_ml.settings import NOT_PROTECTED


def status(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False) -> None:
    """Show projects, stages, checks, privacy budget and audit log, and what does not hold here."""
    installation = open_state()
    found = {name: project_status(installation, name) for name in sorted(installation.projects)}
    settings = installation.settings
    content: dict[str, object] = {
        "home": str(settings.home),
        "keys": str(settings.keys),
        "profile": str(settings.profile),
        "not_protected": list(NOT_PROTECTED[settings.profile]),
        "audit_log_entries": installation.log.size(),
        "projects": found,
    }
    if as_json:
        show_json(content)
        return
    out.print(
        f"[bold]{escape(str(settings.home))}[/]  profile {settings.profile}, {content['audit_log_entries']} entries"
    )
    for name, stages in found.items():
        out.print(_table(name, stages))
    show_not_protected(installation)


def project_status(installation: Installation, name: str) -> dict[str, object]:
    """Versions and checks by stage, and the budget, from signed manifests and verdicts only."""
    stages: dict[str, dict[str, object]] = {}
    by_stage = defaultdict(list)
    for manifest in installation.versions.heads(environment=ENVIRONMENT, project=name):
        by_stage[Stage(manifest.address.stage)].append(manifest)
    for stage in Stage:
        manifests = by_stage.get(stage, [])
        verdicts = [installation.versions.verdicts(manifest.version_id) for manifest in manifests]
        failing = sum(any(v.blocking and not v.passed for v in found.values()) for found in verdicts)
        missing = sum(any(check not in found for check in CHECKS[stage]) for found in verdicts)
        warning = sum(any(not v.passed and not v.blocking for v in found.values()) for found in verdicts)
        stages[str(stage)] = {
            "versions": len(manifests),
            "rows": sum(manifest.rows for manifest in manifests),
            "closed_by_checks": failing,
            "unchecked": missing,
            "warnings": warning,
        }
    spent = installation.ledger.spent(f"{ENVIRONMENT}/{name}")
    return {"stages": stages, "epsilon_spent": str(spent.epsilon), "delta_spent": str(spent.delta)}


def show_not_protected(installation: Installation) -> None:
    """What the profile does not promise, in words."""
    profile = installation.settings.profile
    out.print(f"\nThe profile [bold]{profile}[/] does [bold]not[/] protect against")
    for words in NOT_PROTECTED[profile]:
        out.print(f"  - {words}", soft_wrap=True)


def _table(name: str, content: dict[str, object]) -> Table:
    table = Table(title=f"{name}: ε spent {content['epsilon_spent']}", title_justify="left", box=None, pad_edge=False)
    for column in ("stage", "versions", "rows", "checks"):
        table.add_column(column, justify="right" if column in {"versions", "rows"} else "left")
    stages = content["stages"]
    assert isinstance(stages, dict)  # noqa: S101 - made by project_status
    for stage, facts in stages.items():
        if facts["closed_by_checks"]:
            words = f"[red]{facts['closed_by_checks']} closed by a failed check[/]"
        elif facts["unchecked"]:
            words = f"[yellow]{facts['unchecked']} not checked yet[/]"
        elif facts["warnings"]:
            words = f"[yellow]{facts['warnings']} with a warning[/]"
        else:
            words = "passed" if facts["versions"] else "-"
        table.add_row(stage, str(facts["versions"]), f"{facts['rows']:,}", words)
    return table
