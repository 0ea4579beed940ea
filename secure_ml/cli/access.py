"""`secure-ml access`: what each role may do, and grants to look at data outside a run."""

import dataclasses
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from secure_ml.access.actions import Environment
from secure_ml.access.grants import LONGEST_HOURS, Grant
from secure_ml.access.matrix import matrix, render
from secure_ml.access.roles import shipped_roles
from secure_ml.access.stages import Stage
from secure_ml.cli.opened import DEFAULT_ENVIRONMENT, EnvironmentOption, find_project, open_state
from secure_ml.cli.screen import out, show_json
from secure_ml.vault.granting import ApproveGrant, RequestGrant, RevokeGrant, change_grant, list_grants

app = typer.Typer(help="Show what each role may do; ask for, approve, revoke and list grants.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]


@app.callback()
def _group() -> None:
    """Show what each role may do; ask for, approve, revoke and list grants."""


@app.command("matrix")
def show_matrix(
    environment: Annotated[Environment | None, typer.Option(help="Only what is allowed there.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what each role may do in each environment, found by asking for it."""
    found, digest = matrix(), shipped_roles().digest
    if as_json:
        show_json(
            {
                "roles_sha256": digest,
                "permissions": [dataclasses.asdict(p) for p in found.permissions if p.holds_in(environment)],
                "never": found.never,
            }
        )
        return
    out.print(escape(render(found, environment=environment)), soft_wrap=True)
    out.print(f"roles.yaml  SHA-256 {digest}", soft_wrap=True)


@app.command()
def request(
    project: Annotated[str, typer.Argument(help="The project whose data it is.")],
    column: Annotated[list[str], typer.Option(help="A column to look at; may be given more than once.")],
    reason: Annotated[str, typer.Option(help="Why, for whoever approves. Name no person.")],
    hours: Annotated[int, typer.Option(min=1, max=LONGEST_HOURS, help="How long, counted from the approval.")] = 8,
    stage: Annotated[Stage, typer.Option(help="The stage whose data it is.")] = Stage.RAW,
    environment: EnvironmentOption = DEFAULT_ENVIRONMENT,
    as_json: JsonOption = False,
) -> None:
    """Ask to look at columns outside a run, for the purpose of the project's policy. Another person must approve."""
    installation = open_state()
    asked = RequestGrant(
        environment=environment,
        project=project,
        stage=stage,
        columns=tuple(column),
        purpose=find_project(installation, project).policy.purpose,
        hours=hours,
        reason=reason,
    )
    _tell(change_grant(installation.kernel, asked), as_json=as_json)


@app.command()
def approve(
    project: Annotated[str, typer.Argument(help="The project whose data it is.")],
    grant: Annotated[str, typer.Argument(help="The grant's id, as `list` shows it.")],
    environment: EnvironmentOption = DEFAULT_ENVIRONMENT,
    as_json: JsonOption = False,
) -> None:
    """Agree to another person's request: its hours begin now."""
    asked = ApproveGrant(environment=environment, project=project, grant_id=grant)
    _tell(change_grant(open_state().kernel, asked), as_json=as_json)


@app.command()
def revoke(
    project: Annotated[str, typer.Argument(help="The project whose data it is.")],
    grant: Annotated[str, typer.Argument(help="The grant's id, as `list` shows it.")],
    environment: EnvironmentOption = DEFAULT_ENVIRONMENT,
    as_json: JsonOption = False,
) -> None:
    """End a grant at once, or refuse a request."""
    asked = RevokeGrant(environment=environment, project=project, grant_id=grant)
    _tell(change_grant(open_state().kernel, asked), as_json=as_json)


@app.command("list")
def show_grants(
    project: Annotated[str, typer.Argument(help="The project whose data it is.")],
    own: Annotated[bool, typer.Option("--own", help="Only those that you asked for.")] = False,
    environment: EnvironmentOption = DEFAULT_ENVIRONMENT,
    as_json: JsonOption = False,
) -> None:
    """Show the grants of a project: who asked for what and why, who agreed, and until when."""
    found = list_grants(open_state().kernel, environment=environment, project=project, own=own)
    if as_json:
        show_json({"grants": [_facts(grant) for grant in found]})
        return
    if not found:
        out.print("no grants")
    for grant in found:
        _tell(grant, as_json=False)


def _tell(grant: Grant, *, as_json: bool) -> None:
    facts = _facts(grant)
    if as_json:
        show_json(facts)
        return
    out.print(f"[bold]{facts['state']}[/]  {grant.grant_id}", soft_wrap=True)
    for words in (
        f"{grant.environment}/{grant.project}/{grant.stage}: {', '.join(grant.columns)}",
        f"asked for by {grant.requested_by} at {_minute(grant.requested_at)}, for {grant.hours} h: {grant.reason}",
        f"approved by {grant.approved_by}, until {_minute(grant.expires)}" if grant.approved_by else "",
        f"revoked by {grant.revoked_by} at {_minute(grant.revoked_at)}" if grant.revoked_by else "",
    ):
        if words:
            out.print(f"  {escape(words)}", soft_wrap=True)


def _facts(grant: Grant) -> dict[str, object]:
    times = {"requested_at": grant.requested_at, "approved_at": grant.approved_at, "revoked_at": grant.revoked_at}
    isoformat = {name: at.isoformat() if at else "" for name, at in {**times, "expires": grant.expires}.items()}
    return {**dataclasses.asdict(grant), **isoformat, "state": grant.state(datetime.now(UTC))}


def _minute(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"
