"""The loan table as CSV files, one a month.

Belongs here: writing the batches as RFC 4180 text, whole or not at all. Must stay out: what the rows hold.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from secure_ml.recipes.loans.errors import RecipeError
from secure_ml.recipes.loans.table import COLUMNS, generate_loans

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space or ask for fewer rows",
    errno.EDQUOT: "the disk quota is used up: free some space or ask for fewer rows",
    errno.EROFS: "the file system is read-only: choose another directory",
    errno.EACCES: "you may not write there: choose another directory",
    errno.EPERM: "you may not write there: choose another directory",
    errno.ENOTDIR: "a part of the path is a file: choose another directory",
    errno.EEXIST: "a file stands in the directory's place: choose another directory",
    errno.EISDIR: "a directory stands in a file's place: choose another directory",
}


def write_loans(
    directory: Path,
    *,
    rows: int,
    months: int,
    seed: int,
    on_progress: Callable[[int], None] | None,
) -> list[Path]:
    """Write the table as `YYYY-MM.csv` files, all of them or none.

    The files are written under temporary names and renamed at the end, so a table that was there before is replaced as
    a whole or left as it was. Memory does not grow with `rows`.

    Args:
        directory: Where the files go; made if it is not there.
        rows: As for `generate_loans`.
        months: As for `generate_loans`.
        seed: As for `generate_loans`.
        on_progress: Called after each batch with the number of rows just written.

    Returns:
        The files, in order of time.

    Raises:
        RecipeError: If an argument is out of its range or the files cannot be written.
    """
    batches = generate_loans(rows=rows, months=months, seed=seed)
    with _remedied(directory):
        directory.mkdir(parents=True, exist_ok=True)
        pending: dict[Path, Path] = {}
        try:
            for month, group in groupby(batches, key=itemgetter(0)):
                target = directory / f"{month}.csv"
                pending[target] = directory / f".{month}.csv.partial"
                _write_month(pending[target], (batch for _, batch in group), on_progress)
            for target, partial in pending.items():
                partial.replace(target)
        finally:
            for partial in pending.values():
                with suppress(OSError):
                    partial.unlink(missing_ok=True)
    return list(pending)


@contextmanager
def _remedied(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, os.strerror(error.errno or errno.EIO))
        raise RecipeError(f"cannot write the tables under {directory}: {remedy}") from None


def _write_month(path: Path, batches: Iterator[Any], on_progress: Callable[[int], None] | None) -> None:
    with path.open("wb") as file:
        file.write((",".join(COLUMNS) + "\n").encode())
        for batch in batches:
            file.write(csv_lines(batch))
            if on_progress is not None:
                on_progress(batch.num_rows)
        file.flush()
        os.fsync(file.fileno())


def csv_lines(batch: Any) -> memoryview:
    """Text columns as the lines of a CSV file in UTF-8; missing cells are empty.

    pyarrow's own writer puts every string in quotes, which no bank's export does and which costs a tenth of the size.
    """
    cells = [_quoted_where_needed(column) for column in batch.columns]
    lines = pc.binary_join_element_wise(*cells, ",", null_handling="replace", null_replacement="")
    ended = pc.binary_join_element_wise(lines, "\n", "")
    length = pc.sum(pc.binary_length(ended)).as_py()
    return memoryview(ended.buffers()[2])[:length]


def _quoted_where_needed(column: Any) -> Any:
    special = pc.match_substring_regex(column, '[",\r\n]')
    if not pc.any(special).as_py():
        return column
    doubled = pc.replace_substring(column, '"', '""')
    return pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), column)
