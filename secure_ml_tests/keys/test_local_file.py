import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_ml.keys.errors import KeyRefused, KeyServiceError
from secure_ml.keys.local_file import LocalFileKeyService
from secure_ml.keys.service import KeyService


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def test_a_created_root_key_opens_and_unwraps(directory: Path) -> None:
    created: KeyService = LocalFileKeyService.create(directory)
    opened = LocalFileKeyService.open(directory)
    assert opened.unwrap(created.wrap(b"k" * 32, context=b"c"), context=b"c") == b"k" * 32


def test_file_and_directory_are_private(directory: Path) -> None:
    LocalFileKeyService.create(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "root.key").stat().st_mode) == 0o600
    assert [path.name for path in directory.iterdir()] == ["root.key"]


def test_a_loose_umask_does_not_loosen_them(directory: Path) -> None:
    before = os.umask(0)
    try:
        LocalFileKeyService.create(directory)
    finally:
        os.umask(before)
    LocalFileKeyService.open(directory)


def test_another_root_key_unwraps_nothing(directory: Path, tmp_path: Path) -> None:
    first, second = LocalFileKeyService.create(directory), LocalFileKeyService.create(tmp_path / "other")
    assert first.key_id != second.key_id
    with pytest.raises(KeyRefused):
        second.unwrap(first.wrap(b"k" * 32, context=b"c"), context=b"c")


def test_a_root_key_is_made_once(directory: Path) -> None:
    key_id = LocalFileKeyService.create(directory).key_id
    with pytest.raises(KeyServiceError, match="exists already"):
        LocalFileKeyService.create(directory)
    assert LocalFileKeyService.open(directory).key_id == key_id


def test_a_lost_root_key_is_never_replaced_in_silence(directory: Path) -> None:
    LocalFileKeyService.create(directory)
    (directory / "keys.db").write_bytes(b"wrapped")
    (directory / "root.key").unlink()
    assert not LocalFileKeyService.exists(directory)
    with pytest.raises(KeyServiceError, match="check that it exists"):
        LocalFileKeyService.open(directory)
    with pytest.raises(KeyServiceError, match="restore the root key"):
        LocalFileKeyService.create(directory)


def test_a_missing_directory_opens_nothing_and_is_not_made(directory: Path) -> None:
    with pytest.raises(KeyServiceError):
        LocalFileKeyService.open(directory)
    assert not directory.exists()


def test_creators_at_once_make_one_root_key(directory: Path) -> None:
    made: list[str] = []
    barrier = threading.Barrier(8)

    def create() -> None:
        barrier.wait()
        try:
            made.append(LocalFileKeyService.create(directory).key_id)
        except KeyServiceError:
            return

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [LocalFileKeyService.open(directory).key_id]
    assert [path.name for path in directory.iterdir()] == ["root.key"]


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "readable by the group": (lambda path: path.chmod(0o640), "chmod 600"),
    "readable by others": (lambda path: path.chmod(0o604), "chmod 600"),
    "writable by the group": (lambda path: path.chmod(0o620), "chmod 600"),
    "directory open to the group": (lambda path: path.parent.chmod(0o750), "chmod 700"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-1]), "damaged"),
    "emptied": (lambda path: path.write_bytes(b""), "damaged"),
    "one bit flipped": (_flip, "damaged"),
    "too long": (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "longer"),
    "a symbolic link": (_link, "root.key"),
    "a pipe": (_pipe, "not a regular file"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_root_key_file_that_cannot_be_trusted_is_refused(name: str, directory: Path) -> None:
    LocalFileKeyService.create(directory)
    secret = (directory / "root.key").read_bytes()[5:37]
    spoil, says = SPOILED[name]
    spoil(directory / "root.key")
    with pytest.raises(KeyServiceError, match=says) as caught:
        LocalFileKeyService.open(directory)
    assert secret.hex() not in str(caught.value)


def test_a_root_key_of_another_user_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LocalFileKeyService.create(directory)
    monkeypatch.setattr(os, "geteuid", lambda: directory.stat().st_uid + 1)
    with pytest.raises(KeyServiceError, match="another user"):
        LocalFileKeyService.open(directory)


def test_a_failed_write_leaves_no_key_behind(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyServiceError, match="No space"):
        LocalFileKeyService.create(directory)
    assert list(directory.iterdir()) == []


def test_its_text_shows_no_key(directory: Path) -> None:
    service = LocalFileKeyService.create(directory)
    assert repr(service) == f"LocalFileKeyService(key_id={service.key_id})"
