"""A thousand reads at once, by threads of two processes, of parts longer than any bound that pyarrow once tripped on.

Reported were wrong or failing reads of encrypted files above 2^15 rows and under threads: Arrow's issues 39444, 43057,
44852 and 44990.
"""

import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from secure_ml.access.stages import Stage
from secure_ml_tests.fakes.small_project import SmallProject, make_small_project, open_small_project

ROWS, BUCKETS = 210_000, 3
READS, PROCESSES, THREADS = 1_000, 2, 16


def invented(rows: int) -> pa.Table:
    """A table of the small project's columns, of every type that its source can have, with nulls."""
    draw = np.random.default_rng(20_240_101)
    words = pa.array(["north", "south", "east", None])
    return pa.table(
        {
            "member_id": pa.array([f"MEMBER-{number:06d}" for number in range(rows)]),
            "full_name": pa.nulls(rows, pa.string()),
            "email": pa.nulls(rows, pa.string()),
            "birth_date": pa.array(draw.integers(-9_000, 12_000, rows).astype("int32")).cast(pa.date32()),
            "income": pa.array(draw.normal(size=rows), mask=draw.random(rows) < 0.1),
            "region": words.take(pa.array(draw.integers(0, 4, rows))),
            "diagnosis": pa.array(draw.integers(0, 10**12, rows), mask=draw.random(rows) < 0.5),
            "gender": pa.array(["f", "m"]).take(pa.array(draw.integers(0, 2, rows))),
            "agreed": pa.array(draw.random(rows) < 0.9),
            "remark": pa.nulls(rows, pa.string()),
            "approved": pa.array([f"{number % 7 * 'yes '}" for number in range(rows)]),
        }
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallProject, Path]:
    """A project whose `raw` has three parts of about 70,000 rows, and a file of its rows as they are stored."""
    root = tmp_path_factory.mktemp("large")
    project = make_small_project(
        root,
        buckets=BUCKETS,
        change=lambda policy: policy["source"].update({"format": "parquet", "path": "table.parquet"}),
    )
    written = invented(ROWS)
    pq.write_table(written, project.folder / "table.parquet")
    project.write_raw()
    project.pass_checks(Stage.RAW)
    manifest, dataset = project.door().assess(Stage.RAW, "")
    assert [part.rows > 2**16 for part in manifest.parts] == [True] * BUCKETS
    stored = dataset.read().combine_chunks()
    assert stored.sort_by("member_id").equals(written.combine_chunks())
    with pa.OSFile(str(root / "stored.arrow"), "wb") as sink, pa.ipc.new_file(sink, stored.schema) as writer:
        writer.write_table(stored)
    return project, root


def reads_that_differ(root: Path, seed: int, count: int) -> int:
    """Reads some columns so many times in threads of this process; how often they were not what was written."""
    with pa.memory_map(str(root / "stored.arrow")) as source:
        stored = pa.ipc.open_file(source).read_all()
    door = open_small_project(root).door(f"reader-{seed}")
    dataset = door.open(Stage.RAW, "", by=Stage.MASKED)
    draw = random.Random(seed)
    asked = [draw.sample(dataset.schema.names, draw.choice((1, 1, 2, 3))) for _ in range(count)]

    def differs(columns: list[str]) -> bool:
        return not dataset.read(columns).equals(stored.select(columns))

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(differs, asked))


def test_a_thousand_concurrent_reads_are_all_what_was_written(large: tuple[SmallProject, Path]) -> None:
    project, root = large
    before = len(project.log("version.read"))
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        shares = [pool.submit(reads_that_differ, root, seed, READS // PROCESSES) for seed in range(PROCESSES)]
        assert [share.result() for share in shares] == [0] * PROCESSES
    assert len(project.log("version.read")) == before + READS
    assert project.installation.log.verify().size >= READS


def test_readers_that_stop_in_the_middle_leave_the_others_alone(large: tuple[SmallProject, Path]) -> None:
    project, _ = large
    dataset = project.door().open(Stage.RAW, "", by=Stage.MASKED)
    expected = dataset.read(["income"])

    def read(number: int) -> bool:
        if number % 2:
            batches = dataset.scan(["income", "region"])
            return next(batches).num_rows > 0
        return dataset.read(["income"]).equals(expected)

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(read, range(60)))
