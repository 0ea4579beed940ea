import hashlib
import shutil
from pathlib import Path

import pytest

from secure_ml.release import package_digest as module
from secure_ml.release.package_digest import package_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package, and a lock file beside it."""
    package = tmp_path / "package"
    (package / "defs" / "loans").mkdir(parents=True)
    (package / "one.py").write_text("1")
    (package / "access.yaml").write_text("roles: {}")
    (package / "defs" / "loans" / "defs.yaml").write_text("a policy")
    (tmp_path / "requirements.lock").write_text("x==1")
    monkeypatch.setattr(module, "_PACKAGE", package)
    monkeypatch.setattr(module, "project_root", lambda: tmp_path)
    return package


def test_it_is_what_its_page_says(package: Path) -> None:
    content = b"secure_ml package v1\0"
    for name, text in (("access.yaml", b"roles: {}"), ("one.py", b"1"), ("requirements.lock", b"x==1")):
        content += name.encode() + b"\0" + hashlib.sha256(text).digest()
    assert package_digest() == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("one.py", True),
        ("new/two.py", True),
        ("access.yaml", True),
        ("../requirements.lock", True),
        ("defs/loans/defs.yaml", False),
        ("__pycache__/one.cpython-311.pyc", False),
        ("../README.md", False),
    ],
)
def test_it_changes_with_the_code_and_with_nothing_else(package: Path, file: str, changes: bool) -> None:
    before = package_digest()
    (package / file).parent.mkdir(exist_ok=True)
    (package / file).write_text("other")
    assert (package_digest() != before) is changes


def test_a_file_under_another_name_is_other_code(package: Path) -> None:
    before = package_digest()
    shutil.move(package / "one.py", package / "two.py")
    assert package_digest() != before


def test_a_change_that_keeps_size_and_time_and_swaps_the_file_is_seen(package: Path) -> None:
    import os

    before, file = package_digest(), package / "one.py"
    status = file.stat()
    (package / "other").write_text("2")
    os.utime(package / "other", ns=(status.st_atime_ns, status.st_mtime_ns))
    (package / "other").replace(file)
    assert package_digest() != before
