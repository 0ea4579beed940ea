"""`secure-ml audit`: the log and the vault against what was signed."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from secure_ml.audit.errors import AuditError
from secure_ml.cli.opened import open_state
from secure_ml.cli.screen import out, progress, show_json
from secure_ml.vault.inspection import verify_heads

app = typer.Typer(help="Verify the audit log and the stored versions.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Verify the audit log and the stored versions."""


@app.command()
def verify(
    checkpoint: Annotated[
        Path | None, typer.Option(help="An earlier checkpoint, kept elsewhere: the log must extend it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Recompute the whole log, and every stored file of every current version, against what was signed.

    Prints the log's newest checkpoint: keep it elsewhere, and any later rewriting of the log can be told.
    """
    installation = open_state()
    earlier = _read(checkpoint) if checkpoint is not None else None
    verification = installation.log.verify(earlier_checkpoint=earlier)
    with progress() as bar:
        task = bar.add_task("files of current versions", total=None)
        checked = verify_heads(installation.versions, installation.settings.vault, on_file=lambda: bar.advance(task))
    if as_json:
        show_json(
            {
                "entries": verification.size,
                "root": verification.root.hex(),
                "checkpoint": installation.log.checkpoint(),
                "versions": checked.versions,
                "files": checked.files,
            }
        )
        return
    out.print(
        f"[green]verified[/] {verification.size} log entries; {checked.files} files of {checked.versions} versions"
    )
    if earlier is not None:
        out.print("the log extends the earlier checkpoint")
    out.print("\nnewest checkpoint, to be kept elsewhere:\n")
    out.print(escape(installation.log.checkpoint()), soft_wrap=True)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"{path}: cannot be read as a checkpoint ({type(error).__name__}); name its file") from None
