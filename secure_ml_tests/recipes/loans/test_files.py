import csv
import errno
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from secure_ml.recipes.loans import COLUMNS, SCHEMA, RecipeError, generate_loans, write_loans
from secure_ml.recipes.loans.files import csv_lines

SHIPPED = Path(__file__).parents[3] / "data" / "loans"


def test_the_shipped_files_are_what_their_recipe_makes(tmp_path: Path):
    made = write_loans(tmp_path, rows=24_000, months=12, seed=2024, on_progress=None)
    assert [file.name for file in made] == [f"2024-{month:02}.csv" for month in range(1, 13)]
    assert [file.name for file in made if file.read_bytes() != (SHIPPED / file.name).read_bytes()] == []
    assert sum(file.stat().st_size for file in made) < 9_000_000


@pytest.mark.parametrize(("environment", "seed"), [("development", 7), ("test", 11)])
def test_the_tables_of_other_environments_are_what_their_recipe_makes(tmp_path: Path, environment: str, seed: int):
    made = write_loans(tmp_path, rows=8_000, months=4, seed=seed, on_progress=None)
    shipped = SHIPPED.with_name(f"loans_{environment}")
    assert [file.name for file in made] == sorted(file.name for file in shipped.iterdir())
    assert [file.name for file in made if file.read_bytes() != (shipped / file.name).read_bytes()] == []


def test_files_read_back_as_the_batches(tmp_path: Path):
    made = write_loans(tmp_path, rows=400, months=2, seed=3, on_progress=None)
    options = pyarrow.csv.ConvertOptions(
        column_types={name: pa.string() for name in COLUMNS}, strings_can_be_null=True, null_values=[""]
    )
    read = pa.concat_tables(pyarrow.csv.read_csv(file, convert_options=options) for file in made)
    assert read.equals(pa.Table.from_batches([b for _, b in generate_loans(rows=400, months=2, seed=3)], SCHEMA))


def test_quotes_commas_and_line_ends_survive():
    cells = ['say "yes"', "a,b", "two\nlines", "plain", None, "₹5"]
    batch = pa.record_batch({"a": cells, "b": cells[::-1]})
    read = list(csv.reader(bytes(csv_lines(batch)).decode().splitlines(keepends=True)))
    assert read == [[a or "", b or ""] for a, b in zip(cells, cells[::-1], strict=True)]


def test_progress_adds_up_to_the_rows(tmp_path: Path):
    steps: list[int] = []
    write_loans(tmp_path, rows=50_000, months=2, seed=3, on_progress=steps.append)
    assert sum(steps) == 50_000
    assert len(steps) == 4


def test_a_full_disk_is_a_clear_error_and_leaves_the_old_table(tmp_path: Path):
    before = {file: file.read_bytes() for file in write_loans(tmp_path, rows=300, months=3, seed=3, on_progress=None)}
    (tmp_path / ".2024-02.csv.partial").symlink_to("/dev/full")
    with pytest.raises(RecipeError, match="disk is full") as caught:
        write_loans(tmp_path, rows=600, months=3, seed=4, on_progress=None)
    assert caught.value.__cause__ is None
    assert set(tmp_path.iterdir()) == set(before)  # before any is read: /dev/full has no end
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize(("code", "words"), [(errno.EROFS, "read-only"), (errno.EACCES, "may not write")])
def test_a_directory_that_cannot_be_written_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, "refused")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(RecipeError, match=words):
        write_loans(tmp_path / "new", rows=12, months=1, seed=1, on_progress=None)


def test_a_file_in_the_directorys_place_is_a_clear_error(tmp_path: Path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(RecipeError, match="choose another directory"):
        write_loans(tmp_path / "taken", rows=12, months=1, seed=1, on_progress=None)
    with pytest.raises(RecipeError, match="choose another directory"):
        write_loans(tmp_path / "taken" / "below", rows=12, months=1, seed=1, on_progress=None)


def test_an_interruption_leaves_nothing_half_written(tmp_path: Path):
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_loans(tmp_path, rows=120, months=2, seed=1, on_progress=interrupt)
    assert list(tmp_path.iterdir()) == []
