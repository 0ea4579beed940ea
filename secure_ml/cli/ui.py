"""`secure-ml ui`: Dagster's pages and daemon on this installation, for this machine only."""

import os
import signal
import subprocess
import sys
from typing import Annotated

import typer

from secure_ml.cli.screen import out
from secure_ml.posture import DAGSTER_URL, require_shared_dagster
from secure_ml.settings import Profile, Settings, SettingsError, project_root, read_settings

_SOCKET_PATH_BYTES = 107
_SOCKET_NAME_BYTES = 12


def ui(
    port: Annotated[int, typer.Option(help="Port on the loopback address.", min=1, max=65_535)] = 3000,
) -> None:
    """Start Dagster's webserver and daemon, and stop both when either ends or Ctrl-C is pressed."""
    from secure_ml.definitions import open_installation
    from secure_ml.orchestration.instance import prepare_dagster_home

    require_shared_dagster(read_settings(os.environ), in_files=not os.environ.get(DAGSTER_URL))
    if read_settings(os.environ).profile is not Profile.PERSONAL:
        raise SettingsError(
            "this command's servers and their runs are one user's: where runs execute as another, start the pages, the "
            "daemon and the runs' code servers each as its own user, as docs/deployment.md says"
        )
    settings = open_installation().settings
    _require_short(settings)
    environ = dict(os.environ) | {"SECURE_ML_HOME": str(settings.home), "SECURE_ML_KEYS": str(settings.keys)}
    for name in ("DAGSTER_HOME", "SECURE_ML_DAGSTER_STORAGE"):
        environ.pop(name, None)
    prepare_dagster_home(settings, environ)
    workspace = ["-w", str(project_root() / "workspace.yaml")]
    commands = (
        ["dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *workspace],
        ["dagster._daemon", "run", *workspace],
    )
    out.print(f"http://127.0.0.1:{port} shows the graph once both have started; Ctrl-C stops them")
    children: list[subprocess.Popen[bytes]] = []
    # A supervisor's stop must reach both, as Ctrl-C on a terminal does; it may come while they start.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for command in commands:
            child = subprocess.Popen([sys.executable, "-m", *command], env=environ, cwd=project_root())  # noqa: S603 - fixed commands
            children.append(child)
        code = _first_to_end(children)
    except KeyboardInterrupt:
        code = 0
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait()
    raise typer.Exit(code)


def _require_short(settings: Settings) -> None:
    """Dagster's servers talk over sockets in the folder for temporary files, whose paths the system limits."""
    longest = _SOCKET_PATH_BYTES - _SOCKET_NAME_BYTES
    if len(os.fsencode(settings.temporary)) > longest:
        raise SettingsError(
            f"the path {settings.temporary} is longer than {longest} bytes, too long for the sockets of Dagster's "
            "servers; set SECURE_ML_HOME to a folder with a shorter path"
        )


def _first_to_end(children: list["subprocess.Popen[bytes]"]) -> int:
    """Waits until one of them ends; its exit code, never 0, since neither should end by itself."""
    while True:
        for child in children:
            try:
                return child.wait(timeout=1) or 1
            except subprocess.TimeoutExpired:
                continue
