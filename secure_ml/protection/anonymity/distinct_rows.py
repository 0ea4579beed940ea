"""The distinct rows of a stream, in memory that grows with them alone.

Belongs here: counting rows of fixed width. Must stay out: what stands in them.

They are held in sixteen shares by a key, and one share is counted at a time, so that counting takes little beside.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_SHARES = 16
_PENDING_ROWS = 2_000_000


class DistinctRows:
    """The distinct rows of a stream of tables with columns of fixed width, and how often each came.

    Args:
        share_by: column of keys by which the rows are held apart; None holds them in one share.
    """

    def __init__(self, *, share_by: str | None) -> None:
        self._share_by = share_by
        self._shares: list[pa.Table | None] = [None] * (_SHARES if share_by else 1)
        self._pending: list[pa.Table] = []
        self._pending_rows = 0

    def add(self, table: pa.Table) -> None:
        """Adds the rows of a table."""
        counted = _count(table.append_column("rows", pa.array(np.ones(table.num_rows, np.int64))))
        self._pending.append(counted)
        self._pending_rows += counted.num_rows
        if self._pending_rows >= _PENDING_ROWS:
            self._merge()

    def take(self) -> Iterator[pa.Table]:
        """Every distinct row once, with its number in `rows`, share by share; none is held here any longer."""
        self._merge()
        while self._shares:
            if (share := self._shares.pop()) is not None:
                yield share

    def _merge(self) -> None:
        if not self._pending:
            return
        pending = pa.concat_tables(self._pending).combine_chunks()
        self._pending, self._pending_rows = [], 0
        share = self._share_of(pending)
        for number, held in enumerate(self._shares):
            rows = pending if share is None else pending.filter(pa.array(share == number))
            if rows.num_rows:
                self._shares[number] = _count(rows if held is None else pa.concat_tables([held, rows]))

    def _share_of(self, table: pa.Table) -> npt.NDArray[np.uint8] | None:
        if self._share_by is None:
            return None
        keys = one_array(table[self._share_by])
        first = np.frombuffer(keys.buffers()[1], np.uint8)[keys.offset * 16 : (keys.offset + len(keys)) * 16 : 16]
        return first % _SHARES


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def _count(table: pa.Table) -> pa.Table:
    keys = [name for name in table.column_names if name != "rows"]
    grouped = table.group_by(keys, use_threads=False).aggregate([("rows", "sum")])
    return grouped.select([*keys, "rows_sum"]).rename_columns([*keys, "rows"])
