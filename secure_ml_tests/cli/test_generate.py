"""`secure-ml generate loans`."""

import os
from pathlib import Path

from secure_ml_tests.cli.terminal import Said, Terminal
from secure_ml_tests.fakes.needed import need

FULL = "the disk is full: free some space or ask for fewer rows"


def _loans(terminal: Terminal, folder: Path, *, rows: int = 120, months: int = 3, seed: int = 5) -> Said:
    return terminal(
        "generate", "loans", "--rows", str(rows), "--months", str(months), "--seed", str(seed), "--out", str(folder),
        "--json",
    )  # fmt: skip


def _lines(folder: Path) -> int:
    return sum(len(file.read_text(encoding="utf-8").splitlines()) - 1 for file in folder.glob("*.csv"))


def test_the_rows_asked_for_lie_in_a_file_a_month(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "loans"
    said = _loans(terminal, folder)
    assert said.code == 0
    assert said.json["rows"] == 120
    assert sorted(Path(file).name for file in said.json["files"]) == sorted(os.listdir(folder))
    assert len(os.listdir(folder)) == 3
    assert _lines(folder) == 120


def test_the_same_seed_gives_the_same_bytes_and_another_other_ones(terminal: Terminal, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "other")]
    for folder, seed in zip(folders, (5, 5, 6), strict=True):
        assert _loans(terminal, folder, seed=seed).code == 0
    one, two, other = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders)
    assert one == two
    assert one != other


def test_people_are_told_where_it_is(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal("generate", "loans", "--rows", "10", "--months", "1", "--out", str(tmp_path / "loans"))
    assert said.code == 0
    assert said.out == f"10 applications in 1 files under {tmp_path / 'loans'}\n"


def test_no_installation_is_made(terminal: Terminal, tmp_path: Path) -> None:
    _loans(terminal, tmp_path / "loans")
    assert not terminal.home.exists()
    assert not terminal.keys.exists()


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(terminal: Terminal, tmp_path: Path) -> None:
    need(Path("/dev/full").exists(), "needs a device that is always full")
    folder = tmp_path / "loans"
    folder.mkdir()
    (folder / ".2024-02.csv.partial").symlink_to("/dev/full")
    said = _loans(terminal, folder)
    assert said.code == 1
    assert not said.out
    assert said.err == f"error RecipeError: cannot write the tables under {folder}: {FULL}\n"
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_made_is_a_clear_error(terminal: Terminal, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    said = _loans(terminal, blocked / "loans")
    assert said.code == 1
    assert not said.out
    assert said.err.startswith(f"error RecipeError: cannot write the tables under {blocked / 'loans'}: a part of")
    assert said.err.count("\n") == 1
