"""Whoever can write to the vault's folder, but has no key, cannot make the door give another row."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from secure_ml.access.stages import Stage
from secure_ml.vault.committed_file import verify_file
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.door import Stored
from secure_ml.vault.errors import Tampered
from secure_ml_tests.fakes.small_project import SmallProject

Stored3 = tuple[SmallProject, list[Path], Dataset]


@pytest.fixture
def opened(checked_project: SmallProject) -> Stored3:
    """A project, its part files, and its dataset, which was opened before anybody tampered."""
    dataset = checked_project.door().open(Stage.RAW, "", by=Stage.MASKED)
    return checked_project, sorted(checked_project.home.glob("vault/**/*.parquet")), dataset


def refusal(dataset: Dataset) -> str:
    """The text of the refusal, once it is shown that no row came before it."""
    seen: list[pa.RecordBatch] = []
    with pytest.raises(Tampered) as refused:
        seen.extend(dataset.scan())
    assert seen == []
    return str(refused.value)


def flip(file: Path, offset: int, *, bit: int) -> None:
    with file.open("r+b") as opened_file:
        opened_file.seek(offset)
        byte = opened_file.read(1)[0]
        opened_file.seek(offset)
        opened_file.write(bytes([byte ^ 1 << bit]))


def test_a_flipped_bit_at_either_end_or_in_a_page_is_refused_before_the_first_row(opened: Stored3) -> None:
    _, files, dataset = opened
    assert len(files) == 3
    for file in files:
        size = file.stat().st_size
        for offset in (0, 4, size // 2, size - 9, size - 5, size - 1):
            flip(file, offset, bit=offset % 8)
            assert str(file) in refusal(dataset), offset
            flip(file, offset, bit=offset % 8)
    assert dataset.read().num_rows == 60


def test_a_flipped_bit_anywhere_in_any_part_is_refused(opened: Stored3) -> None:
    project, files, _ = opened
    manifest, _ = project.door().assess(Stage.RAW, "")
    for file, part in zip(files, manifest.parts, strict=True):
        assert file.name == part.file
        for offset in range(0, part.size_bytes, 7):
            flip(file, offset, bit=offset % 8)
            with pytest.raises(Tampered, match=part.file):
                verify_file(file, size_bytes=part.size_bytes, sha256=part.sha256)
            flip(file, offset, bit=offset % 8)
        verify_file(file, size_bytes=part.size_bytes, sha256=part.sha256)


def plaintext(file: Path, dataset: Dataset) -> None:
    pq.write_table(dataset.read(), file.with_suffix(".plain"))
    file.with_suffix(".plain").replace(file)


def truncate(file: Path, dataset: Dataset) -> None:
    os.truncate(file, file.stat().st_size - 1)


def empty(file: Path, dataset: Dataset) -> None:
    os.truncate(file, 0)


def append(file: Path, dataset: Dataset) -> None:
    with file.open("ab") as opened:
        opened.write(b"\x00")


def remove(file: Path, dataset: Dataset) -> None:
    file.unlink()


def link(file: Path, dataset: Dataset) -> None:
    file.rename(file.with_suffix(".elsewhere"))
    file.symlink_to(file.with_suffix(".elsewhere"))


def link_to_nowhere(file: Path, dataset: Dataset) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def pipe(file: Path, dataset: Dataset) -> None:
    file.unlink()
    os.mkfifo(file)


def directory(file: Path, dataset: Dataset) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    "tamper",
    [plaintext, truncate, empty, append, remove, link, link_to_nowhere, pipe, directory],
    ids=lambda f: f.__name__,
)
def test_another_thing_in_place_of_the_last_part_is_refused_before_the_first_row(
    opened: Stored3, tamper: Callable[[Path, Dataset], None]
) -> None:
    _, files, dataset = opened
    tamper(files[-1], dataset)
    assert str(files[-1]) in refusal(dataset)


def test_two_parts_with_their_names_exchanged_are_refused(opened: Stored3) -> None:
    _, (first, second, _), dataset = opened
    aside = first.with_suffix(".aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    assert str(first) in refusal(dataset)


def test_a_part_of_an_older_version_with_the_same_content_is_refused(opened: Stored3) -> None:
    project, old_files, _ = opened
    newer = project.write_raw()
    project.pass_checks(Stage.RAW)
    dataset = project.door().open(Stage.RAW, "", by=Stage.MASKED)
    assert dataset.origins == (newer.version_id,)
    for old, new in zip(old_files, project.files(newer), strict=True):
        shutil.copyfile(old, new)
    assert newer.version_id in refusal(dataset)


def test_a_file_changed_between_verification_and_parsing_is_refused(
    opened: Stored3, monkeypatch: pytest.MonkeyPatch
) -> None:
    from secure_ml.vault import door

    _, files, dataset = opened
    replacement = files[0].with_suffix(".plain")
    pq.write_table(dataset.read(), replacement)
    content = replacement.read_bytes()
    verify = door.verify_file

    def verify_then_lose_the_race(path: Path, *, size_bytes: int, sha256: str) -> object:
        verified = verify(path, size_bytes=size_bytes, sha256=sha256)
        path.write_bytes(content)
        return verified

    monkeypatch.setattr(door, "verify_file", verify_then_lose_the_race)
    assert "not the file that was committed" in refusal(dataset)


def test_a_refused_file_is_named_and_no_cell_is(opened: Stored3) -> None:
    _, files, dataset = opened
    truncate(files[1], dataset)
    text = refusal(dataset)
    assert str(files[1]) in text
    assert "Zorblax" not in text


def test_the_plaintext_of_no_identifier_stands_anywhere_under_the_home(checked_project: SmallProject) -> None:
    from secure_ml_tests.fakes.small_project import IDENTIFIERS, rows

    checked_project.door().open(Stage.RAW, "", by=Stage.MASKED).read()
    secrets = {row[name].encode() for row in rows() for name in IDENTIFIERS}
    searched = [file for file in checked_project.home.rglob("*") if file.is_file()]
    assert len(searched) >= 4
    for file in searched:
        content = file.read_bytes()
        assert not [secret for secret in secrets if secret in content], file.name


def test_the_search_for_plaintext_finds_it_in_a_plain_file(opened: Stored3) -> None:
    _, files, dataset = opened
    pq.write_table(dataset.read(), files[0], compression="none", use_dictionary=False)
    assert b"MEMBER-00001-QX" in files[0].read_bytes()


def test_no_name_of_a_column_stands_in_a_part(opened: Stored3) -> None:
    _, files, _ = opened
    for file in files:
        assert not [name for name in (b"member_id", b"diagnosis", b"birth_date") if name in file.read_bytes()]


def test_a_version_folder_holds_its_parts_and_nothing_else(checked_project: SmallProject) -> None:
    stored: Stored = checked_project.write_raw()
    assert [file.name for file in checked_project.files(stored)] == [f"data-000{bucket}.parquet" for bucket in range(3)]
