import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_ml.vault import committed_file
from secure_ml.vault.committed_file import CommittedFile, verify_file
from secure_ml.vault.errors import StorageError, Tampered

CONTENT = bytes(range(256)) * 5


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committed_file, "_BLOCK_BYTES", 100)


def verified(path: Path, content: bytes = CONTENT) -> CommittedFile:
    path.write_bytes(content)
    return verify_file(path, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("length", [0, 1, 99, 100, 101, 200, 1280])
def test_a_file_of_any_length_is_read_as_it_is(tmp_path: Path, length: int) -> None:
    with verified(tmp_path / "file", CONTENT[:length]).open() as file:
        assert file.read() == CONTENT[:length]
        assert file.read(5) == b""


@given(st.lists(st.tuples(st.integers(0, 1280), st.integers(0, 400)), max_size=8))
def test_every_range_is_read_as_it_is(tmp_path_factory: pytest.TempPathFactory, ranges: list[tuple[int, int]]) -> None:
    path = tmp_path_factory.getbasetemp() / "ranges"
    with verified(path).open() as file:
        for start, length in ranges:
            file.seek(start)
            assert file.read(length) == CONTENT[start : start + length]
            assert file.tell() == min(start + length, 1280)


def test_a_seek_counts_from_where_it_is_told_to(tmp_path: Path) -> None:
    with verified(tmp_path / "file").open() as file:
        assert file.seek(-8, os.SEEK_END) == 1272
        assert file.seek(4, os.SEEK_CUR) == 1276
        assert file.read() == CONTENT[1276:]


def test_a_block_changed_after_verification_is_refused_and_its_neighbours_are_not(tmp_path: Path) -> None:
    committed = verified(tmp_path / "file")
    (tmp_path / "file").write_bytes(CONTENT[:150] + b"\xff" + CONTENT[151:])
    with committed.open() as file:
        assert file.read(100) == CONTENT[:100]
        file.seek(200)
        assert file.read(100) == CONTENT[200:300]
        file.seek(149)
        with pytest.raises(Tampered, match="not the file"):
            file.read(1)


def test_blocks_that_changed_places_after_verification_are_refused(tmp_path: Path) -> None:
    committed = verified(tmp_path / "file")
    (tmp_path / "file").write_bytes(CONTENT[100:200] + CONTENT[:100] + CONTENT[200:])
    with committed.open() as file:
        for start in (0, 100):
            file.seek(start)
            with pytest.raises(Tampered):
                file.read(100)


def test_no_two_verifications_seal_alike(tmp_path: Path) -> None:
    one, other = verified(tmp_path / "file"), verified(tmp_path / "file")
    assert not set(one.seals) & set(other.seals)
    assert not any(seal.hex() in repr(one) for seal in one.seals)


def test_a_file_that_shrank_or_vanished_after_verification_is_refused(tmp_path: Path) -> None:
    committed = verified(tmp_path / "file")
    os.truncate(tmp_path / "file", 1000)
    with committed.open() as file, pytest.raises(Tampered):
        file.read()
    (tmp_path / "file").unlink()
    with pytest.raises(Tampered, match="missing"), committed.open():
        pass


def test_a_file_that_this_user_may_not_read_is_a_matter_of_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> int:
        raise PermissionError

    path = tmp_path / "file"
    verified(path)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageError, match="permissions"):
        verify_file(path, size_bytes=1, sha256="")
