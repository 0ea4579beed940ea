"""A PostgreSQL server of a test's own: an empty cluster in a folder, on a Unix socket, without a network port."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from secure_ml_tests.fakes.dagster_pages import free_port
from secure_ml_tests.fakes.needed import missing

_DEBIAN = Path("/usr/lib/postgresql")
_USER = "postgres"
_DATABASE = "records"


@dataclass(frozen=True)
class PostgresServer:
    """A running server.

    Attributes:
        url: of its one database by its Unix socket, for SQLAlchemy.
        data: folder of its files.
        port: part of the socket's name; with a certificate, also the port on loopback.
    """

    url: str
    data: Path
    port: int

    def on_loopback(self, host: str, **parameters: str) -> str:
        """URL of the database over the network."""
        return f"postgresql://{_USER}@{host}:{self.port}/{_DATABASE}?{urlencode(parameters)}"

    def checkpoint(self) -> None:
        """Writes everything that was committed into the files."""
        psql = [
            "psql",
            "-h",
            str(self.data.parent),
            "-p",
            str(self.port),
            "-U",
            _USER,
            "-d",
            _DATABASE,
            "-c",
            "CHECKPOINT",
        ]
        subprocess.run(psql, check=True, capture_output=True)


def _programs() -> Path | None:
    """The folder of PostgreSQL's programs; None where it is not installed."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    return next((path.parent for path in sorted(_DEBIAN.glob("*/bin/initdb"), reverse=True)), None)


@contextmanager
def postgres_server(*, certificate: Callable[[Path], None] | None = None) -> Iterator[PostgresServer]:
    """Makes a cluster in a folder of its own, and removes both when the block ends.

    The folder is no test's: those are closed to the user that the server runs as, and too long for a socket's path.

    Ends the test where PostgreSQL is not installed.

    Args:
        certificate: writes `server.crt` and `server.key` into a folder; with it the server answers on loopback too, by
            TLS only.
    """
    with tempfile.TemporaryDirectory(prefix="postgres") as folder:
        yield from _serving(Path(folder), certificate)


def _serving(folder: Path, certificate: Callable[[Path], None] | None) -> Iterator[PostgresServer]:
    binaries = _programs()
    if binaries is None:
        missing("PostgreSQL is not installed: apt-get install postgresql")
    as_user = _as_user(folder)
    data = folder / "data"
    options = f"-c unix_socket_directories='{folder}' -c fsync=off"
    _run(as_user, binaries / "initdb", "-D", data, "-A", "trust", "-U", _USER)
    port = 5432
    if certificate is None:
        options += " -c listen_addresses=''"
    else:
        port = free_port()
        certificate(data)
        for name in ("server.crt", "server.key"):
            shutil.chown(data / name, data.owner())
        (data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 trust\n")
        options += f" -c listen_addresses=127.0.0.1 -c port={port} -c ssl=on"
    control = (*as_user, str(binaries / "pg_ctl"), "-D", str(data), "-w")
    _run(control, "-o", options, "-l", folder / "log", "start")
    try:
        _run(as_user, binaries / "createdb", "-h", folder, "-p", port, "-U", _USER, _DATABASE)
        url = f"postgresql://{_USER}@/{_DATABASE}?host={quote(str(folder), safe='')}&port={port}"
        yield PostgresServer(url, data, port)
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
