"""What code and what environment made a version.

Belongs here: reading the checkout's commit and the lock file. Must stay out: the versions themselves.
"""

import hashlib
import subprocess
from functools import cache
from importlib.metadata import distributions, version

from secure_ml.settings import project_root

_LOCK = "requirements.lock"


@cache
def code_version() -> str:
    """The package's version, and the commit of the checkout that it runs from, marked when files have changed since."""
    release = version("secure_ml")
    command = ["git", "-C", str(project_root()), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)  # noqa: S603 - a fixed command
    except (OSError, subprocess.TimeoutExpired):
        return release
    commit = described.stdout.strip()
    return f"{release}+{commit}" if described.returncode == 0 and commit else release


@cache
def environment_lock_digest() -> str:
    """SHA-256 of the lock file, or, where there is none, of the names and versions of all installed distributions."""
    lock = project_root() / _LOCK
    if lock.is_file():
        return hashlib.sha256(lock.read_bytes()).hexdigest()
    installed = sorted(f"{d.metadata['Name']}=={d.version}" for d in distributions())
    return hashlib.sha256("\n".join(installed).encode()).hexdigest()
