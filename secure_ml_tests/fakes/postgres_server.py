"""A PostgreSQL server of a test's own: an empty cluster in a folder, on a Unix socket, without a network port."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_DEBIAN = Path("/usr/lib/postgresql")
_USER = "postgres"
_DATABASE = "records"


@dataclass(frozen=True)
class PostgresServer:
    """A running server.

    Attributes:
        url: of its one database, for SQLAlchemy.
        data: folder of its files.
    """

    url: str
    data: Path

    def checkpoint(self) -> None:
        """Writes everything that was committed into the files."""
        psql = ["psql", "-h", str(self.data.parent), "-U", _USER, "-d", _DATABASE, "-c", "CHECKPOINT"]
        subprocess.run(psql, check=True, capture_output=True)


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; None where it is not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    return next((path.parent for path in sorted(_DEBIAN.glob("*/bin/initdb"), reverse=True)), None)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Makes a cluster in a folder of its own, and removes both when the block ends.

    The folder is no test's: those are closed to the user that the server runs as, and too long for a socket's path.
    """
    with tempfile.TemporaryDirectory(prefix="postgres") as folder:
        yield from _serving(Path(folder))


def _serving(folder: Path) -> Iterator[PostgresServer]:
    binaries = programs()
    assert binaries is not None, "PostgreSQL is not installed"
    as_user = _as_user(folder)
    data = folder / "data"
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    _run(as_user, binaries / "initdb", "-D", data, "-A", "trust", "-U", _USER)
    control = (*as_user, str(binaries / "pg_ctl"), "-D", str(data), "-w")
    _run(control, "-o", options, "-l", folder / "log", "start")
    try:
        _run(as_user, binaries / "createdb", "-h", folder, "-U", _USER, _DATABASE)
        url = f"postgresql://{_USER}@/{_DATABASE}?host={quote(str(folder), safe='')}"
        yield PostgresServer(url, data)
    finally:
        _run(control, "-m", "immediate", "stop")


def _as_user(folder: Path) -> tuple[str, ...]:
    """What precedes a command: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return ()
    user = pwd.getpwnam(_USER)
    shutil.chown(folder, user.pw_uid, user.pw_gid)
    return ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--")


def _run(before: tuple[str, ...], *command: object) -> None:
    subprocess.run([*before, *map(str, command)], check=True, cwd="/", stdout=subprocess.DEVNULL)
