"""Network namespaces for tests: nothing in them but loopback, and mounts of their own."""

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

_PREFIXES = (("unshare", "-n", "-m"), ("unshare", "-r", "-n", "-m"))


def namespace_command(script: str, *arguments: str | Path) -> list[str]:
    """The command that runs a shell script (`$1`, `$2`, …) in namespaces of its own.

    Where the system permits none the test is skipped, except in CI: there nothing is.
    """
    prefix, reason = _prefix()
    if not prefix:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
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
