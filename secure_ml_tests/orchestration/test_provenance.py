import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_ml.orchestration import provenance


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder in place of the checkout, and nothing remembered."""
    monkeypatch.setattr(provenance, "project_root", lambda: tmp_path)
    for remembered in (provenance.code_version, provenance.environment_lock_digest):
        remembered.cache_clear()
    yield tmp_path
    for remembered in (provenance.code_version, provenance.environment_lock_digest):
        remembered.cache_clear()


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@invented.example")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_code_has_the_release_and_the_commit(checkout: Path) -> None:
    git(checkout, "init", "-q")
    (checkout / "code.py").write_text("1\n")
    git(checkout, "add", "code.py")
    git(checkout, "commit", "-qm", "one")

    assert provenance.code_version().endswith("+" + git(checkout, "rev-parse", "HEAD"))


def test_code_that_has_changed_since_its_commit_says_so(checkout: Path) -> None:
    test_code_has_the_release_and_the_commit(checkout)
    provenance.code_version.cache_clear()
    (checkout / "code.py").write_text("2\n")

    assert provenance.code_version().endswith("-dirty")


def test_code_outside_a_checkout_has_its_release_only(checkout: Path) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", provenance.code_version())


def test_the_environment_is_its_lock_file(checkout: Path) -> None:
    (checkout / "requirements.lock").write_bytes(b"dagster==1\n")

    assert provenance.environment_lock_digest() == hashlib.sha256(b"dagster==1\n").hexdigest()


def test_an_environment_without_a_lock_file_is_what_is_installed(checkout: Path) -> None:
    first = provenance.environment_lock_digest()
    provenance.environment_lock_digest.cache_clear()

    assert re.fullmatch("[0-9a-f]{64}", first)
    assert provenance.environment_lock_digest() == first
