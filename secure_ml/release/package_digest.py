"""Which code is installed, by its content: what a promotion is bound to.

Belongs here: that digest. Must stay out: the commit that a checkout is at (provenance), which changes with a comment in
the docs and is not known of an installed package.
"""

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from secure_ml.policy.projects import POLICY_FILE
from secure_ml.settings import project_root

_PACKAGE = Path(__file__).resolve().parents[1]
_SUFFIXES = (".py", ".yaml")
_LOCK = "requirements.lock"


def package_digest() -> str:
    """SHA-256, hexadecimal, of the installed package's files with their names, and of the lock file beside it.

    Policies are left out: each has a digest of its own, and one project's is not another's matter.
    """
    named = dict(sorted(_files(str(_PACKAGE))))
    lock = project_root() / _LOCK
    if lock.is_file():
        named[_LOCK] = str(lock)
    return _digest(tuple((name, path, *_state(path)) for name, path in named.items()))


def _files(folder: str, below: str = "") -> Iterator[tuple[str, str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, f"{name}/")
            elif entry.name.endswith(_SUFFIXES) and entry.name != POLICY_FILE:
                yield name, entry.path


def _state(path: str) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1)
def _digest(files: tuple[tuple[str, str, int, int, int], ...]) -> str:
    digest = hashlib.sha256(b"secure_ml package v1\0")
    for name, path, *_ in files:
        digest.update(f"{name}\0".encode() + hashlib.sha256(Path(path).read_bytes()).digest())
    return digest.hexdigest()
