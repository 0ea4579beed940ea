"""One run of `secure-ml demo`, shared by every test and worker that looks at what it left behind.

It runs in a network namespace with nothing but loopback where the system permits one. Everything that a program could
write to is below one folder: home, keys, the user's home, temporary files, the working directory.
"""

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from secure_ml.installation import Installation
from secure_ml.policy.projects import find_projects
from secure_ml.settings import read_settings

PROJECT = "loan_approval"

_LOOPBACK_ONLY = 'ip link set lo up && exec "$@"'
_PROBE_THEN = '"$1" -c "$2" >"$3" && shift 3 && exec "$@"'
_NAMESPACES = (("unshare", "-n"), ("unshare", "-r", "-n"))
_PLACES = ("home", "keys", "user", "tmp", "work")
_PROBE = """
import json, socket, sys
def outcome(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as opened:
        opened.settimeout(5)
        return opened.connect_ex(address)
json.dump({
    "interfaces": sorted(name for _, name in socket.if_nameindex()),
    "ipv4": outcome(socket.AF_INET, ("192.0.2.1", 443)),
    "routes": len(open("/proc/net/route").readlines()) - 1,
}, sys.stdout)
"""


@dataclass(frozen=True)
class DemoRun:
    """What a run of the demonstration came to.

    Attributes:
        root: holds `home`, `keys`, `user`, `tmp` and `work`, the only places that it was told of.
        exit_code: of the command.
        stdout: what it printed.
        stderr: what it printed beside.
        network: what a program finds of the network that starts the run in its place; None without a namespace.
        without_namespace: why it had none.
    """

    root: Path
    exit_code: int
    stdout: str
    stderr: str
    network: dict[str, object] | None
    without_namespace: str

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    def installation(self) -> Installation:
        """Its installation, opened again with its keys."""
        environ = {"SECURE_ML_HOME": str(self.home), "SECURE_ML_KEYS": str(self.keys)}
        defs = Path(__file__).resolve().parents[2] / "secure_ml" / "defs"
        return Installation(read_settings(environ), find_projects((defs,)))


def shared_demo_run(folder: Path) -> DemoRun:
    """The run of this test session: the first worker that asks makes it, the others wait for it."""
    folder.mkdir(exist_ok=True)
    record = folder / "run.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            content = json.dumps(_run(folder))
            record.with_suffix(".partial").write_text(content, encoding="utf-8")
            record.with_suffix(".partial").rename(record)
    return DemoRun(root=folder, **json.loads(record.read_text(encoding="utf-8")))


def _run(root: Path) -> dict[str, object]:
    for place in _PLACES:
        (root / place).mkdir(mode=0o700)
    (root / "home").rmdir()
    (root / "keys").rmdir()
    prefix, reason = _namespace()
    found = root / "network.json"
    probe = ["sh", "-c", _PROBE_THEN, "sh", sys.executable, _PROBE, str(found)]
    command = [*prefix, *probe, str(Path(sys.executable).parent / "secure-ml"), "demo"]
    ended = subprocess.run(command, capture_output=True, text=True, env=_environ(root), cwd=root / "work")
    return {
        "exit_code": ended.returncode,
        "stdout": ended.stdout,
        "stderr": ended.stderr,
        "network": json.loads(found.read_text(encoding="utf-8")) if prefix else None,
        "without_namespace": reason,
    }


def _namespace() -> tuple[list[str], str]:
    """The command that starts another one without a network, or why there is none."""
    reason = ""
    for unshare in _NAMESPACES:
        prefix = [*unshare, "sh", "-c", _LOOPBACK_ONLY, "sh"]
        try:
            tried = subprocess.run([*prefix, "true"], capture_output=True, text=True)
        except FileNotFoundError:
            return [], "the program unshare (package util-linux) is missing"
        if tried.returncode == 0:
            return prefix, ""
        reason = reason or tried.stderr.strip().splitlines()[-1]
    return [], f"no network namespace with loopback can be made here: {reason}"


def _environ(root: Path) -> dict[str, str]:
    kept = ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "SECURE_ML_HOME": str(root / "home"),
        "SECURE_ML_KEYS": str(root / "keys"),
        "HOME": str(root / "user"),
        "TMPDIR": str(root / "tmp"),
        "COLUMNS": "160",
    }
