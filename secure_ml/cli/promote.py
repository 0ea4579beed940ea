"""`secure-ml promote`: a project, as it is, into the next environment."""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape

from secure_ml.access.actions import Environment
from secure_ml.access.promotions import BEFORE, Promotion, PromotionRefused
from secure_ml.cli.opened import find_project, open_state
from secure_ml.cli.screen import out, show_json
from secure_ml.vault.client import Client
from secure_ml.vault.promotion import EvidenceAttested, attest, list_promotions
from secure_ml.vault.promotion import promote as record


def promote(
    project: Annotated[str, typer.Argument(help="Name of the project; only with --list it may be missing.")] = "",
    to: Annotated[
        Environment, typer.Option(help="The environment that it may run in: training or production.")
    ] = Environment.TRAINING,
    write_evidence: Annotated[
        Path | None, typer.Option(help="Record nothing; write the evidence to this file, for another kernel.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Promote on this file, which another kernel's evidence was written to.")
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="Show what was promoted, and whether it holds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Let a project run in the next environment, with this policy and this code, by what it came to in the one before.

    Whoever made those runs does not promote them. Another policy, or other code, needs another promotion.
    """
    client = open_state()
    if show_list:
        _show(_listed(client, [project] if project else sorted(client.projects)), as_json=as_json)
        return
    if not project:
        raise typer.BadParameter("name the project", param_hint="PROJECT")
    if to not in BEFORE:
        raise typer.BadParameter(f"a project is promoted to {' or '.join(BEFORE)}", param_hint="--to")
    name = find_project(client, project).policy.project
    given = _read(evidence) if evidence is not None else attest(client.kernel, environment=BEFORE[to], project=name)
    if write_evidence is not None:
        _write(write_evidence, given)
        return
    kernel, signed = client.kernel, {"evidence": given.evidence, "signature": given.signature}
    promotion = record(kernel, environment=to, project=name, **signed)
    if as_json:
        show_json(_facts(promotion, holds=True))
        return
    out.print(
        f"[green]{escape(name)} may run in {to}[/] by {len(promotion.evidence.versions)} versions of "
        f"{promotion.evidence.environment}.",
        soft_wrap=True,
    )
    if promotion.evidence.warned:
        out.print(f"Warned there: {escape(', '.join(promotion.evidence.warned))}", soft_wrap=True)


def _listed(client: Client, projects: list[str]) -> list[dict[str, object]]:
    return [
        _facts(promotion, holds=holds)
        for project in projects
        for environment in BEFORE
        for promotion, holds in list_promotions(
            client.kernel, environment=environment, project=find_project(client, project).policy.project
        )
    ]


def _show(found: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        show_json({"promotions": found})
        return
    if not found:
        out.print("nothing was promoted")
    for facts in found:
        state = "[green]holds[/]" if facts["holds"] else "[yellow]another policy or other code[/]"
        words = f"{facts['project']} in {facts['environment']}, by {facts['recorded_by']} at {facts['recorded_at']}"
        out.print(f"{state}  {escape(words)}", soft_wrap=True)


def _facts(promotion: Promotion, *, holds: bool) -> dict[str, object]:
    return {**json.loads(promotion.to_bytes()), "project": promotion.project, "holds": holds}


def _write(file: Path, attested: EvidenceAttested) -> None:
    try:
        file.write_text(attested.model_dump_json(), encoding="utf-8")
    except OSError as error:
        raise PromotionRefused(f"{file}: cannot be written ({type(error).__name__}); name another file") from None
    out.print(f"evidence written to {escape(str(file))}; the other kernel believes it with", soft_wrap=True)
    out.print(f"SECURE_ML_ATTESTORS={escape(attested.verifier_key)}", soft_wrap=True)


def _read(file: Path) -> EvidenceAttested:
    try:
        return EvidenceAttested.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise PromotionRefused(f"{file}: no evidence ({type(error).__name__}); write it by --write-evidence") from None
