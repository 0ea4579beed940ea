from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from secure_ml.vault.parquet_batches import BATCH_ROWS, batches_of


@pytest.mark.parametrize(
    ("rows", "group_rows"),
    [(0, 10), (1, 10), (7, 1), (30_001, 1_000), (120_000, 50_000), (260_000, 2_000), (70_000, 70_000)],
)
def test_every_row_comes_once_and_in_order(tmp_path: Path, rows: int, group_rows: int) -> None:
    table = pa.table({"a": pa.array(range(rows), pa.int64()), "b": pa.array([0] * rows, pa.int8())})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=group_rows)
    batches = list(batches_of(pq.ParquetFile(tmp_path / "t.parquet"), ["a"]))
    assert pa.Table.from_batches(batches, schema=table.select(["a"]).schema) == table.select(["a"])


def test_small_row_groups_make_no_small_batches(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array(range(100_000))}), tmp_path / "t.parquet", row_group_size=2_000)
    sizes = [batch.num_rows for batch in batches_of(pq.ParquetFile(tmp_path / "t.parquet"), ["a"])]
    assert sizes == [BATCH_ROWS] * 10
