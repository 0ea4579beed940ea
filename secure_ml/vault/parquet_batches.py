"""Rows of a Parquet file in bounded memory.

Belongs here: how many row groups one reader is given. Must stay out: keys, formats, and whose file it is.
"""

from collections.abc import Iterator, Sequence
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH_ROWS = 10_000
_READER_ROWS = 50_000


def batches_of(file: "pq.ParquetFile", columns: Sequence[str]) -> "Iterator[pa.RecordBatch]":
    """The rows of some columns, in order.

    One reader for the whole file would keep what each row group needed until the last one is read: ten million rows
    of twelve columns took 500 MB more. So a new one is begun after some groups, as many as give a reader enough rows.

    Args:
        file: opened; only what it says of itself as a whole is asked, since columns may be without their keys.
        columns: names. Threads would ask for the keys of all columns.
    """
    groups = file.num_row_groups
    step = ceil(_READER_ROWS * groups / max(1, file.metadata.num_rows))
    for first in range(0, groups, max(1, step)):
        some = list(range(first, min(first + max(1, step), groups)))
        yield from file.iter_batches(BATCH_ROWS, row_groups=some, columns=list(columns), use_threads=False)
