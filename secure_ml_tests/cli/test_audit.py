"""`secure-ml audit verify`."""

from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml_tests.cli.terminal import Terminal
from secure_ml_tests.fakes.small_project import SmallProject, make_small_project


@pytest.fixture
def written(tmp_path: Path) -> SmallProject:
    """A small project whose `raw` is written and has passed its checks."""
    project = make_small_project(tmp_path / "written", buckets=3)
    project.write_raw()
    project.pass_checks(Stage.RAW)
    return project


def _terminal(project: SmallProject) -> Terminal:
    return Terminal(project.home, project.keys)


def test_what_was_signed_is_found_again(written: SmallProject) -> None:
    told = _terminal(written)("audit", "verify", "--json").json
    assert set(told) == {"entries", "root", "checkpoint", "versions", "files"}
    assert told["entries"] == written.installation.log.size()
    assert (told["versions"], told["files"]) == (1, 3)
    assert told["checkpoint"] == written.installation.log.checkpoint()


def test_people_get_the_checkpoint_whole(written: SmallProject) -> None:
    said = _terminal(written)("audit", "verify")
    assert said.code == 0
    assert said.out.startswith(f"verified {written.installation.log.size()} log entries; 3 files of 1 versions")
    assert written.installation.log.checkpoint() in said.out


def test_the_log_extends_its_own_earlier_checkpoint(written: SmallProject, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(written.installation.log.checkpoint(), encoding="utf-8")
    written.write_raw()
    said = _terminal(written)("audit", "verify", "--checkpoint", str(kept))
    assert said.code == 0
    assert "the log extends the earlier checkpoint" in said.out


def test_a_checkpoint_of_another_log_is_refused(written: SmallProject, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    other = make_small_project(tmp_path / "other")
    other.write_raw()
    kept.write_text(other.installation.log.checkpoint(), encoding="utf-8")
    said = _terminal(written)("audit", "verify", "--checkpoint", str(kept), "--json")
    assert said.code == 1
    assert not said.out
    assert said.err.startswith("error ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"not a checkpoint\n", b"\xff\xfe"], ids=["empty", "words", "bytes"])
def test_a_file_that_is_no_checkpoint_is_refused(written: SmallProject, tmp_path: Path, content: bytes) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(content)
    said = _terminal(written)("audit", "verify", "--checkpoint", str(kept))
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert "verified" not in said.out


def test_a_checkpoint_that_is_not_there_is_told_with_its_name(written: SmallProject, tmp_path: Path) -> None:
    said = _terminal(written)("audit", "verify", "--checkpoint", str(tmp_path / "nowhere"))
    assert said.code == 1
    assert str(tmp_path / "nowhere") in said.err


def test_a_flipped_bit_in_a_part_is_found_and_the_file_named(written: SmallProject) -> None:
    file = sorted(written.home.glob("vault/**/*.parquet"))[1]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    said = _terminal(written)("audit", "verify")
    assert said.code == 1
    assert said.err.startswith(f"error Tampered: {file}: ")
    assert said.err.count("\n") == 1
    assert "verified" not in said.out


def test_a_missing_part_is_found_and_the_file_named(written: SmallProject) -> None:
    file = sorted(written.home.glob("vault/**/*.parquet"))[0]
    file.unlink()
    said = _terminal(written)("audit", "verify")
    assert said.code == 1
    assert str(file) in said.err
