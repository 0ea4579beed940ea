"""A disk that refuses leaves the head where it was, nothing half-written, and an error that says what to do."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.vault import parts
from secure_ml.vault.errors import StorageError
from secure_ml_tests.fakes.masked_table import masked_table
from secure_ml_tests.fakes.needed import need
from secure_ml_tests.fakes.small_project import SmallProject

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def versions(project: SmallProject) -> list[str]:
    return sorted(path.name for path in project.home.glob("vault/*/*/masked/_/*"))


def require_untouched(project: SmallProject, before: list[str], *, error: str = "OSError") -> None:
    assert versions(project) == before
    assert not list(project.home.glob("vault/**/*.partial"))
    entry = project.log("version.abandon")[-1]
    assert (entry.outcome, entry.details["error"]) == ("failed", error)
    _, dataset = project.door().assess(Stage.MASKED, "")
    assert dataset.read().num_rows == 40


@pytest.mark.parametrize("call", ["write_table", "close"])
def test_a_disk_full_in_the_parquet_writer(
    checked_project: SmallProject, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    checked_project.write(Stage.MASKED, masked_table())
    before = versions(checked_project)
    original = getattr(parts.pq.ParquetWriter, call)
    calls: list[object] = []

    def refuse(writer: object, *arguments: object, **named: object) -> object:
        calls.append(writer)
        if len(calls) > 1:
            raise FULL
        return original(writer, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(parts.pq.ParquetWriter, call, refuse)
        with pytest.raises(StorageError, match="the disk is full; free space"):
            checked_project.write(Stage.MASKED, masked_table(80))
    require_untouched(checked_project, before)


@pytest.mark.parametrize(("owner", "call"), [(os, "fsync"), (Path, "rename"), (Path, "mkdir")])
def test_a_disk_full_at_the_last_moment(
    checked_project: SmallProject, monkeypatch: pytest.MonkeyPatch, owner: object, call: str
) -> None:
    checked_project.write(Stage.MASKED, masked_table())
    before = versions(checked_project)

    def refuse(*arguments: object, **named: object) -> object:
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(owner, call, refuse)
        with pytest.raises(StorageError, match="the disk is full; free space"):
            checked_project.write(Stage.MASKED, masked_table(80))
    require_untouched(checked_project, before)


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_folder_that_may_not_be_written(
    checked_project: SmallProject, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    checked_project.write(Stage.MASKED, masked_table())
    before = versions(checked_project)

    def refuse(*arguments: object, **named: object) -> object:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(StorageError, match="may not write there; correct the permissions"):
            checked_project.write(Stage.MASKED, masked_table(80))
    require_untouched(checked_project, before, error=type(OSError(code, "")).__name__)


def test_a_disk_error_while_reading(checked_project: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = checked_project.door().open(Stage.RAW, "", by=Stage.MASKED)

    def refuse(*arguments: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", refuse)
        with pytest.raises(StorageError, match="check the disk"):
            dataset.read()
    assert dataset.read().num_rows == 60


@pytest.fixture
def tiny_disk(checked_project: SmallProject) -> Iterator[SmallProject]:
    """A project whose vault is a real file system of 80 kB."""
    vault = checked_project.home / "vault"
    vault.rename(checked_project.home / "aside")
    vault.mkdir(mode=0o700)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80k", "tmpfs", vault], capture_output=True)
    need(mount.returncode == 0, "a file system can be mounted by root only")
    try:
        yield checked_project
    finally:
        subprocess.run(["umount", "-l", vault], check=True)


def test_a_disk_that_is_really_full(tiny_disk: SmallProject) -> None:
    tiny_disk.write(Stage.MASKED, masked_table())
    before = versions(tiny_disk)
    for count in (20_000, 40_000):
        with pytest.raises(StorageError, match="the disk is full; free space"):
            tiny_disk.write(Stage.MASKED, masked_table(count, batch_rows=5_000))
    require_untouched(tiny_disk, before)
    assert tiny_disk.write(Stage.MASKED, masked_table(41)).rows == 41


def test_a_file_system_that_is_really_read_only(tiny_disk: SmallProject) -> None:
    tiny_disk.write(Stage.MASKED, masked_table())
    before = versions(tiny_disk)
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk.home / "vault"], check=True)
    with pytest.raises(StorageError, match="may not write there"):
        tiny_disk.write(Stage.MASKED, masked_table(80))
    require_untouched(tiny_disk, before)
