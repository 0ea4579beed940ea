"""`secure-ml audit`: the log and the vault against what was signed."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from secure_ml.audit.errors import AuditError
from secure_ml.cli.opened import open_state
from secure_ml.cli.screen import out, progress, show_json
from secure_ml.vault.describing import LogVerified, VerifyLog
from secure_ml.vault.inspection import verify_heads
from secure_ml.vault.manifest import Manifest

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
    verified = installation.kernel.send(VerifyLog(earlier_checkpoint=earlier))
    if not isinstance(verified, LogVerified):
        raise TypeError(f"the kernel answered {type(verified).__name__} where LogVerified was due")
    manifests = [Manifest.from_bytes(body) for body in verified.manifests]
    with progress() as bar:
        task = bar.add_task("files of current versions", total=None)
        checked = verify_heads(manifests, installation.settings.vault, on_file=lambda: bar.advance(task))
    if as_json:
        show_json(
            {
                "entries": verified.entries,
                "root": verified.root.hex(),
                "checkpoint": verified.checkpoint,
                "versions": checked.versions,
                "files": checked.files,
            }
        )
        return
    out.print(
        f"[green]verified[/] {verified.entries} log entries; {checked.files} files of {checked.versions} versions"
    )
    if earlier is not None:
        out.print("the log extends the earlier checkpoint")
    out.print("\nnewest checkpoint, to be kept elsewhere:\n")
    out.print(escape(verified.checkpoint), soft_wrap=True)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AuditError(f"{path}: cannot be read as a checkpoint ({type(error).__name__}); name its file") from None
