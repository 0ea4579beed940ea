import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Module = Callable[[str], ModuleType]


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_small_table_is_written_and_read_on_both_sides(
    benchmark_module: Module, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark_module("encryption").main(size_bytes=10_000_000, rounds=1)
    told = said(capsys)
    assert told["rows"] == 150_000
    assert min(told[name] for name in ("ours", "peer", "read_ours", "read_peer")) > 0


@pytest.mark.parametrize(
    ("write", "read", "code"), [(1.35, 2.2, 0), (1.36, 1.0, 1), (1.0, 2.21, 1)], ids=["both", "write", "read"]
)
def test_the_claim_is_about_both(
    benchmark_module: Module,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    write: float,
    read: float,
    code: int,
) -> None:
    encryption = benchmark_module("encryption")

    def measure(side: object, *, rows: int) -> object:
        ours = isinstance(side, encryption.Encrypted)
        return encryption.Seconds(write if ours else 1.0, read if ours else 1.0, 1.0, 1.0)

    monkeypatch.setattr(encryption, "measure", measure)
    assert encryption.main(size_bytes=1, rounds=3) == code
    told = said(capsys)
    assert (told["ratio"], told["read_ratio"], told["holds"]) == (write, read, not code)


def test_rows_that_do_not_come_back_are_no_measurement(benchmark_module: Module, tmp_path: Path) -> None:
    encryption = benchmark_module("encryption")
    batches = encryption.table(1)
    with pytest.raises(RuntimeError, match="rows were read"):
        encryption.measure(encryption.Plain(tmp_path, batches), rows=1)
