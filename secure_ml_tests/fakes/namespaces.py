"""Network namespaces for tests: nothing in them but loopback, and mounts of their own."""

import subprocess
from functools import cache
from pathlib import Path

from secure_ml_tests.fakes.needed import need

_PREFIXES = (("unshare", "-n", "-m"), ("unshare", "-r", "-n", "-m"))


def namespace_command(script: str, *arguments: str | Path) -> list[str]:
    """The command that runs a shell script (`$1`, `$2`, …) in namespaces of its own.

    Ends the test where the system permits none.
    """
    prefix, reason = _prefix()
    need(prefix, reason)
    return [*prefix, "sh", "-euc", script, "sh", *map(str, arguments)]


@cache
def _prefix() -> tuple[tuple[str, ...], str]:
    reason = ""
    for prefix in _PREFIXES:
        try:
            tried = subprocess.run([*prefix, "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
        except FileNotFoundError:
            return (), "the program unshare (package util-linux) is missing"
        if tried.returncode == 0:
            return prefix, ""
        reason = reason or tried.stderr.strip()
    return (), f"no network namespace can be made here: {reason}"
