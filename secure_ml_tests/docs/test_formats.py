"""Every mark of a stored format in the code stands in a page under docs/formats."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_ml.state.tables import metadata
from secure_ml.vault.messages import IssueTicket, Ticketed
from secure_ml_tests.docs.pages import ROOT

FORMATS = ROOT / "docs" / "formats"

# secure_ml/manifest/1, secure_ml.model/1; manifest.v1; secure_ml wrapped key v1, secure_ml key store 1; SMLW; tk1_
MARK = re.compile(
    r"secure_ml[/.][a-z-]+/\d+|[a-z]+\.v\d+|secure_ml [a-z ]+ v?\d+|SML[A-Z](?=[\0-\x1f]|$)|[a-z]{2}\d_", re.ASCII
)
NOT_STORED = {"recipes"}
"""Rooms whose marks are not formats: a recipe's words are its table's content."""


def _constants() -> Iterator[tuple[Path, str]]:
    for file in sorted((ROOT / "secure_ml").rglob("*.py")):
        if file.relative_to(ROOT / "secure_ml").parts[0] in NOT_STORED:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                value = node.value
                yield file, value.decode("latin-1") if isinstance(value, bytes) else value


def _marks() -> dict[str, Path]:
    found = {}
    for file, constant in _constants():
        match = MARK.match(constant)
        if match is not None and not constant[match.end() :].strip("\0\x01"):
            found[match[0]] = file
    return found


@pytest.mark.parametrize("mark", sorted(_marks()))
def test_every_mark_of_a_format_stands_in_a_page(mark: str) -> None:
    naming = [
        page.name for page in FORMATS.glob("*.md") if page.name != "README.md" and mark in page.read_text("utf-8")
    ]
    assert naming, f"{mark} of {_marks()[mark].relative_to(ROOT)} stands in no page of docs/formats"


def test_the_marks_that_are_known_are_found() -> None:
    assert set(_marks()) >= {
        "secure_ml/manifest/1", "secure_ml/verdict/1", "secure_ml/content-digest/1", "secure_ml/evaluation/1",
        "secure_ml/training/1", "secure_ml/registration/1", "secure_ml.model/1", "secure_ml key store 2",
        "secure_ml wrapped key v1", "manifest.v1", "verdict.v1", "ticket.v2", "SMLW", "SMLR", "tk1_", "tk2_", "ds1_",
        "secure_ml token cmac 2", "secure_ml deterministic encryption 1",
    }  # fmt: skip


def test_every_mark_in_the_index_is_one_of_the_code() -> None:
    index = (FORMATS / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"`(secure_ml[/.][a-z-]+/\d+|[a-z]+\.v\d+|tk\d_|secure_ml [a-z ]+ \d+)`", index)
    assert len(named) > 8
    assert set(named) <= set(_marks())


@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_every_table_of_the_state_stands_in_its_page_with_every_column(table: str) -> None:
    page = (FORMATS / "state-database.md").read_text(encoding="utf-8")
    [row] = [line for line in page.splitlines() if line.startswith(f"| `{table}` |")]
    assert re.findall(r"`(\w+)`", row)[1:] == [column.name for column in metadata.tables[table].columns]


def test_every_request_to_the_kernel_stands_in_the_page_of_messages() -> None:
    table = (FORMATS / "messages.md").read_text(encoding="utf-8")
    requests = {
        kind.__name__ for kind in (IssueTicket, *Ticketed.__subclasses__()) if kind.__module__ == IssueTicket.__module__
    }
    assert len(requests) >= 10
    assert {name for name in requests if f"| `{name}` |" not in table} == set()


def test_the_index_names_a_folder_of_what_an_earlier_release_wrote() -> None:
    index = (FORMATS / "README.md").read_text(encoding="utf-8")
    folders = re.findall(r"`(secure_ml_tests/vectors/version-\d+)`", index)
    kept = sorted(str(folder.relative_to(ROOT)) for folder in (ROOT / "secure_ml_tests" / "vectors").glob("version-*"))
    assert folders == kept
