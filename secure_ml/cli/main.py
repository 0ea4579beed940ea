"""The program `secure-ml`: its commands, and the boundary that turns any error into a safe line and an exit code.

Belongs here: putting the groups together. Must stay out: the commands.
"""

import os
import sys

import typer

from secure_ml.cli import access, anonymity, audit, demo, generate, init, kernel, keys, promote, reveal, run, status, ui
from secure_ml.cli.screen import quiet_libraries, show_error
from secure_ml.guard.process import protect_process
from secure_ml.guard.telemetry import silence

app = typer.Typer(
    name="secure-ml",
    help="Train models on sensitive tables through one audited, encrypted door.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(demo.demo)
app.command("init")(init.init)
app.command("anonymity")(anonymity.anonymity)
app.command("run")(run.run)
app.command("status")(status.status)
app.command("promote")(promote.promote)
app.command("reveal")(reveal.reveal_value)
app.command("ui")(ui.ui)
app.command("kernel")(kernel.kernel)
app.command("assessor")(kernel.assessor)
app.add_typer(generate.app, name="generate")
app.add_typer(access.app, name="access")
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Runs a command. Exit code 0 when all of it was done, 1 when it failed, 2 when it was asked for wrongly."""
    silence(os.environ)
    protect_process()
    quiet_libraries()
    try:
        app()
    except (SystemExit, KeyboardInterrupt):
        raise
    # Libraries in Rust panic by an error that is no Exception, and typer would print it with its text.
    except BaseException as error:  # noqa: BLE001 - the last boundary: nothing is swallowed, the exit code says so
        show_error(error)
        sys.exit(1)
