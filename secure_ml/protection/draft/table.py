"""The table to be drafted for: its format, its separator, its stream.

Belongs here: finding out how the file is read. Must stay out: reading it (vault.source does), and its meaning.
"""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from secure_ml.policy.project import Policy
from secure_ml.policy.source import NoPartitions, Source
from secure_ml.protection.draft.errors import DraftError
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.errors import SourceError
from secure_ml.vault.source import open_source

DELIMITERS = (",", ";", "\t", "|")
"""Separators that are recognised, the most usual first."""

MOST_COLUMNS = 1_000
"""A policy is read and answered for by people, column by column."""

USUAL_MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null")
"""Texts that every draft declares as missing, whether or not they occur."""

_PARQUET_MAGIC = b"PAR1"
_HEAD_BYTES = 1 << 16
_HEAD_RECORDS = 50
_LONGEST_NAME = 128


@dataclass(frozen=True)
class TableFile:
    """A file and how it is read.

    Attributes:
        path: absolute.
        format: as a policy's source names it.
        delimiter: separator of a CSV file.
    """

    path: Path
    format: Literal["csv", "parquet"]
    delimiter: str

    def source(self, missing: Sequence[str]) -> Source:
        """The file as a policy declares it."""
        return Source(
            format=self.format,
            path=str(self.path),
            delimiter=self.delimiter,
            missing=tuple(missing),
            partitions=NoPartitions(kind="none"),
        )

    def open(self, missing: Sequence[str]) -> Dataset:
        """The rows, as the stage `raw` will read them; nothing is declared yet, so each column is labelled strictest.

        Raises:
            SourceError: the file is missing, empty or broken.
        """
        # Nothing but source and columns is asked of the policy here, and a table without a policy has no other.
        undeclared = Policy.model_construct(source=self.source(missing), columns={})  # type: ignore[call-arg]  # only these two
        return open_source(undeclared, folder=self.path.parent, partition="", environ={})

    def open_for(self, policy: Policy) -> Dataset:
        """The rows as the stage `raw` of a project would read them if its source were this file.

        Raises:
            SourceError: the file is empty or broken, or lacks a declared column.
        """
        declared = policy.source
        here = self.source(declared.missing).model_copy(update={"max_cell_bytes": declared.max_cell_bytes})
        there = policy.model_copy(update={"source": here})
        return open_source(there, folder=self.path.parent, partition="", environ={})


def recognise(data: Path) -> TableFile:
    """Finds out how a file is read, from its first bytes.

    Raises:
        SourceError: the file is missing or empty.
        DraftError: no separator gives more than one column.
    """
    path = Path(os.path.abspath(data.expanduser()))
    if not path.is_file():
        raise SourceError(f"{path}: no such file; give the CSV or Parquet file that holds the table")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({type(error).__name__}); check its permissions") from None
    if not head.strip():
        raise SourceError(f"{path}: the file is empty; deliver it again")
    if head.startswith(_PARQUET_MAGIC):
        return TableFile(path, "parquet", ",")
    return TableFile(path, "csv", _delimiter(head, path))


def check_columns(names: Sequence[str], path: Path) -> None:
    """Refuses column names that a policy cannot declare.

    Raises:
        DraftError: too many columns, or a name that is empty, too long, or not printable.
    """
    if len(names) > MOST_COLUMNS:
        raise DraftError(
            f"{path}: {len(names)} columns; at most {MOST_COLUMNS} can be drafted: deliver those that the purpose needs"
        )
    for position, name in enumerate(names, 1):
        if not name.strip():
            raise DraftError(
                f"{path}: column {position} has no name; name it in the header, or leave it out (a data frame's index "
                "is left out by index=False)"
            )
        if len(name) > _LONGEST_NAME or name.startswith("__") or not name.isprintable():
            raise DraftError(
                f"{path}: the name of column {position} cannot be declared; a name has 1 to {_LONGEST_NAME} printable "
                "characters and does not start with '__'"
            )


def _delimiter(head: bytes, path: Path) -> str:
    text = head.decode("utf-8", "replace").removeprefix("\ufeff")
    complete = text if len(head) < _HEAD_BYTES else text.rpartition("\n")[0] or text
    best, most = "", (0.0, 1)
    for delimiter in DELIMITERS:
        found = _regularity(complete, delimiter)
        if found[1] > 1 and found > most:
            best, most = delimiter, found
    if not best:
        raise DraftError(
            f"{path}: only one column was found; separate the columns by a comma, semicolon, tab or '|', and name them "
            "in the first line"
        )
    return best


def _regularity(text: str, delimiter: str) -> tuple[float, int]:
    """Share of the first records that have as many cells as the header, and how many the header has."""
    widths = []
    try:
        for record in csv.reader(text.splitlines(keepends=True), delimiter=delimiter):
            if record:
                widths.append(len(record))
            if len(widths) == _HEAD_RECORDS:
                break
    except csv.Error:
        # A cell beyond the reader's bound; what came before it still tells the separator, and the source refuses it.
        pass
    if not widths:
        return 0.0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]
