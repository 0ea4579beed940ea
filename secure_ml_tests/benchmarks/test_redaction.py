import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Module = Callable[[str], ModuleType]


@pytest.mark.parametrize(("spent", "code"), [(2.9, 0), (3.1, 1)])
def test_the_claim_is_about_the_share_of_the_run(
    benchmark_module: Module,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    spent: float,
    code: int,
) -> None:
    redaction = benchmark_module("redaction")
    rounds = iter([spent, 100.0, 0.0])

    def measure(command: list[str]) -> dict[str, Any]:
        return {"seconds": 100.0, "redaction": {"log records": next(rounds)}, "calls": {"log records": 5}}

    monkeypatch.setattr(redaction, "measure", measure)

    assert redaction.main(rounds=3) == code
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["ours"], said["peer"], said["goal"]) == (spent, 100.0, 0.03)
    assert (said["calls"], said["largest_share"]) == (5, 1.0)


def test_a_call_within_a_call_is_counted_once(benchmark_module: Module) -> None:
    stopwatch = benchmark_module("redaction").Stopwatch()
    inner = stopwatch.timed("inner", lambda: sum(range(100_000)))
    outer = stopwatch.timed("outer", lambda: (inner(), inner()))
    outer()
    inner()

    assert stopwatch.calls == {"outer": 1, "inner": 1}
    assert stopwatch.seconds["outer"] > stopwatch.seconds["inner"] > 0


def test_every_place_that_is_timed_is_there(benchmark_module: Module) -> None:
    redaction = benchmark_module("redaction")
    for places in redaction.PARTS.values():
        for place, names in places.items():
            assert all(callable(getattr(redaction._found(place), name)) for name in names)


def test_one_run_of_a_command_is_timed(benchmark_module: Module) -> None:
    measured = benchmark_module("redaction").measure(["--help"])

    assert measured["seconds"] > 0
    assert sum(measured["redaction"].values()) < measured["seconds"]


def test_a_command_that_fails_is_no_measurement(benchmark_module: Module) -> None:
    from subprocess import CalledProcessError

    with pytest.raises(CalledProcessError):
        benchmark_module("redaction").measure(["no-such-command"])
