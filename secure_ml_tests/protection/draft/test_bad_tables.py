"""Tables for which nothing can be drafted: a typed error that says what to do and holds no cell."""

from collections.abc import Callable
from pathlib import Path

import pytest

from secure_ml.protection.classify.errors import ClassificationError
from secure_ml.protection.draft import DraftError, draft_policy
from secure_ml.vault.errors import SourceError
from secure_ml_tests.protection.draft.tables import TODAY, clinic, drafted, write_csv

CELL = "XYZZY-SECRET-CELL"
REFUSALS = (DraftError, SourceError, ClassificationError)


def _changed(path: Path, change: Callable[[bytes], bytes]) -> Path:
    columns = clinic()
    columns["ward"] = [CELL] * 400
    write_csv(path, columns)
    path.write_bytes(change(path.read_bytes()))
    return path


BROKEN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda content: b"", "empty"),
    "blank": (lambda content: b"\n\n  \n", "empty"),
    "header only": (lambda content: content.split(b"\n")[0] + b"\n", "no row"),
    "one column": (lambda content: content.replace(b",", b"~"), "one column"),
    "too many cells in a row": (lambda content: content.replace(b"no\n", b"no,more\n", 1), "cells where"),
    "unclosed quote": (lambda content: content + b'"' + CELL.encode() + b"\n" * 3_000_000, "quot|broken|block"),
    "huge cell": (lambda content: content.replace(CELL.encode(), CELL.encode() * 9_000, 1), "longer than"),
    "not UTF-8": (lambda content: content.replace(CELL.encode(), CELL.encode() + b"\xff\xfe", 1), "UTF-8"),
    "UTF-16": (lambda content: content.decode().encode("utf-16"), "UTF-8|column|broken"),
    "binary": (lambda content: bytes(range(256)) * 400, "UTF-8|column|broken"),
    "duplicate names": (lambda content: content.replace(b"religion", b"gender", 1), "same name"),
    "unnamed column": (lambda content: content.replace(b"religion", b"", 1), "no name"),
    "damaged Parquet": (lambda content: b"PAR1" + content, "Parquet"),
    "no header": (lambda content: content.split(b"\n", 1)[1], "header|not in the table"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_without_a_cell(tmp_path: Path, name: str) -> None:
    change, words = BROKEN[name]
    path = _changed(tmp_path / "table.csv", change)
    label = "yes" if name == "no header" else "outcome"
    with pytest.raises(REFUSALS, match=f"(?i){words}") as refused:
        draft_policy(path, project="invented", label=label, subject=None, accept=True, folder=tmp_path, today=TODAY)
    assert CELL not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"table\.csv: no such file"):
        draft_policy(
            tmp_path / "table.csv", project="p", label="y", subject=None, accept=True, folder=tmp_path, today=TODAY
        )


@pytest.mark.parametrize("role", ["label", "subject"])
def test_an_unknown_column_is_answered_with_those_that_there_are(tmp_path: Path, role: str) -> None:
    with pytest.raises(DraftError, match=rf"the {role} column 'missing_one' is not in the table.*'pin_code'"):
        drafted(tmp_path, clinic(), **{role: "missing_one"})


def test_label_and_subject_are_two_columns(tmp_path: Path) -> None:
    with pytest.raises(DraftError, match="both label and subject"):
        drafted(tmp_path, clinic(), label="patient_id", subject="patient_id")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["yes"] * 400, "one class only"),
        ([""] * 400, "is empty in every row"),
        (["a", "b", "c", "d"] * 100, "4 different values.*two classes"),
        ([f"{i / 7:.5f}" for i in range(400)], "different values"),
        (["yes"] * 390 + ["no"] * 10, "fewer than 20 rows"),
    ],
)
def test_a_label_that_is_not_two_classes_is_refused_with_what_to_do(
    tmp_path: Path, labels: list[str], words: str
) -> None:
    columns = clinic()
    columns["outcome"] = list(labels)
    with pytest.raises(DraftError, match=words):
        drafted(tmp_path, columns)


def test_a_table_without_a_usable_feature_is_refused(tmp_path: Path) -> None:
    columns = {name: cells for name, cells in clinic().items() if name in {"patient_id", "email", "gender", "outcome"}}
    with pytest.raises(DraftError, match="no column can be a feature"):
        drafted(tmp_path, columns)


def test_five_thousand_columns_are_too_many_to_answer_for(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {f"gene_{i}": [1, 2] for i in range(5_000)} | {"outcome": [0, 1]}
    with pytest.raises(DraftError, match="5001 columns; at most 1000"):
        drafted(tmp_path, columns)


def test_too_few_people_are_refused_however_many_rows_they_have(tmp_path: Path) -> None:
    columns = clinic()
    columns["patient_id"] = [f"P{i % 12}" for i in range(400)]
    with pytest.raises(DraftError, match="fewer than 40 people"):
        drafted(tmp_path, columns, subject="patient_id")


@pytest.mark.parametrize("name", ["", "Loans", "1st", "a-b", "x" * 49, "../up"])
def test_a_name_that_no_project_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DraftError, match="project's name"):
        drafted(tmp_path, clinic(), project=name)


def test_a_label_that_points_to_people_is_refused(tmp_path: Path) -> None:
    columns = clinic()
    columns["contact"] = [f"zorblax{i % 2}@invented.example" for i in range(400)]
    with pytest.raises(DraftError, match="points to people") as refused:
        drafted(tmp_path, columns, label="contact")
    assert "invented.example" not in str(refused.value)
