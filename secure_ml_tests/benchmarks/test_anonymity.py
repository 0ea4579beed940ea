import json
from collections.abc import Callable
from types import ModuleType

import pytest

Module = Callable[[str], ModuleType]


def test_both_ways_find_the_same_each_in_a_process_of_its_own(benchmark_module: Module) -> None:
    anonymity = benchmark_module("anonymity")
    mine, theirs = anonymity.measure("ours", 20_000), anonymity.measure("peer", 20_000)

    assert mine["found"] == theirs["found"]
    assert mine["found"][1] > 1_000
    assert mine["mb"] >= 0


@pytest.mark.parametrize(("mb", "code"), [(59.0, 0), (61.0, 1)])
def test_the_claim_is_about_the_memory(
    benchmark_module: Module,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    mb: float,
    code: int,
) -> None:
    anonymity = benchmark_module("anonymity")
    monkeypatch.setattr(
        anonymity,
        "measure",
        lambda which, rows: {"found": [1, 2, 1], "seconds": 1.0, "mb": mb if which == "ours" else 100.0},
    )

    assert anonymity.main(rows=5) == code
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["ratio"], said["goal"], said["rows"]) == (mb / 100, 0.6, 5)


def test_figures_that_differ_are_no_result(benchmark_module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    anonymity = benchmark_module("anonymity")
    monkeypatch.setattr(anonymity, "measure", lambda which, rows: {"found": [which], "seconds": 1.0, "mb": 1.0})

    with pytest.raises(RuntimeError, match="ours finds"):
        anonymity.main(rows=5)
