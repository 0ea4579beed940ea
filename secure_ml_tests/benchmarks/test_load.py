import json
from collections.abc import Callable
from types import ModuleType

import pytest


def test_one_round_measures_fresh_processes_and_reports(
    benchmark_module: Callable[[str], ModuleType],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load = benchmark_module("load")
    monkeypatch.setattr(load, "PEER", "import json")
    monkeypatch.setattr(load, "OURS", "import decimal")
    load.main(rounds=1)
    said = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert said["unit"] == "CPU seconds"
    assert said["ours"] > 0
    assert said["peer"] > 0


def test_a_statement_that_fails_is_no_measurement(benchmark_module: Callable[[str], ModuleType]) -> None:
    with pytest.raises(RuntimeError, match="failed"):
        benchmark_module("load").cost("raise SystemExit(3)", {})
