"""Great Expectations behind its wall: no cell, no file, no noise, no frame kept, errors by name."""

import gc
import logging
import os
import subprocess
import sys
import time
import traceback
import weakref
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from secure_ml.policy.quality import Between, InSet
from secure_ml.protection.quality import QualityError, great_expectations_suite
from secure_ml.protection.quality.great_expectations_suite import Suite
from secure_ml_tests.protection.quality.tables import ROWS, inspected

CANARY = "Zubeida-Quraishi-9876543210"
ASKED: tuple[dict[str, Any], ...] = tuple(
    {"column": column, **expectation}
    for column in ("email", "income")
    for expectation in (
        {"expect": "not_null"},
        {"expect": "parses"},
        {"expect": "between", "minimum": 1},
        {"expect": "matches", "pattern": "x"},
        {"expect": "in_set", "values": ["x"]},
    )
)


@pytest.fixture
def dirty_rows() -> list[dict[str, str | None]]:
    return [{**row, "email": CANARY, "income": CANARY} for row in ROWS]


def _assert_silent(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert CANARY not in caplog.text
    assert not [record for record in caplog.records if record.name.startswith("great_expectations")]


def test_no_cell_is_in_the_report_the_streams_or_the_log(
    dirty_rows: list[dict[str, str | None]], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    report = inspected(*ASKED, rows=dirty_rows)
    assert report.quality_blocking_failed
    assert CANARY not in repr(report)
    _assert_silent(capfd, caplog)


def test_an_error_inside_the_library_names_column_and_expectation_and_no_cell(
    dirty_rows: list[dict[str, str | None]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    def quoting(cells: pd.Series, values: object) -> pd.Series:
        raise ValueError(f"cannot compare {cells.iloc[0]}")

    # The library keeps the text of such an error, and its traceback, in the result.
    monkeypatch.setattr(pd.Series, "isin", quoting)
    with pytest.raises(QualityError) as caught:
        inspected({"column": "income", "expect": "in_set", "values": ["x"]}, rows=dirty_rows)
    assert (caught.value.column, caught.value.expectation) == ("income", "is one of x")
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    _assert_silent(capfd, caplog)


@pytest.mark.parametrize(
    "tampered",
    [
        lambda results: {},
        lambda results: {name: _with_element_count(result, 1) for name, result in results.items()},
    ],
)
def test_a_lost_or_partial_result_is_an_error_and_never_a_pass(tampered: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    validate = great_expectations_suite._validate
    monkeypatch.setattr(great_expectations_suite, "_validate", lambda suite, frame: tampered(validate(suite, frame)))
    with pytest.raises(QualityError, match="column 'email'"):
        inspected(ASKED[0])


def _with_element_count(result: Any, count: int) -> Any:
    result.result["element_count"] = count
    return result


def test_nothing_of_a_chunk_is_kept_once_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, validate = [], great_expectations_suite._validate

    def watched(suite: Any, frame: Any) -> Any:
        frames.append(frame)
        return validate(suite, frame)

    monkeypatch.setattr(great_expectations_suite, "_validate", watched)
    inspected(*ASKED)
    (frame,) = frames
    assert frame.shape[1] == 0
    gone = weakref.ref(frame)
    frames.clear()
    del frame
    gc.collect()
    assert gone() is None


def test_large_batches_are_cut_into_chunks_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, validate = [], great_expectations_suite._validate
    monkeypatch.setattr(great_expectations_suite, "CHUNK_ROWS", 100)
    monkeypatch.setattr(
        great_expectations_suite, "_validate", lambda suite, frame: sizes.append(len(frame)) or validate(suite, frame)
    )
    suite = Suite([InSet(column="a", expect="in_set", values=("x",))], ["words"])
    suite.add([pa.array(["x", "y"] * 125)])
    (counts,) = suite.finish()
    assert (sizes, counts.element, counts.unexpected) == ([100, 100, 50], 250, 125)


def test_many_expectations_on_a_demo_sized_partition_cost_well_under_a_second() -> None:
    expectations = [Between(column="a", expect="between", minimum=float(i)) for i in range(16)]
    evidence = [pa.array([float(i) for i in range(2_000)])] * 16

    def seconds() -> float:
        begun = time.process_time()
        suite = Suite(expectations, ["words"] * 16)
        suite.add(evidence)
        suite.finish()
        return time.process_time() - begun

    seconds()
    assert min(seconds() for _ in range(3)) < 0.8


def test_a_fresh_process_writes_no_file_says_nothing_and_opens_no_connection(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "def refuse(event, args):\n"
        "    if event in {'socket.connect', 'socket.getaddrinfo'}:\n"
        "        raise SystemExit(event)\n"
        "sys.addaudithook(refuse)\n"
        "from secure_ml_tests.protection.quality.tables import inspected\n"
        "report = inspected({'column': 'born', 'expect': 'parses', 'mostly': 0.75})\n"
        "assert report.quality_passed\n"
    )
    # The switch in the environment is left out on purpose: the suite must be silent of its own.
    environment = {
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "TMPDIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*")) == []


def test_importing_the_inspection_does_not_import_the_library() -> None:
    program = "import sys, secure_ml.protection.quality; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=120).returncode == 0
