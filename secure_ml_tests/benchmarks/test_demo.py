import json
import sys
from collections.abc import Callable
from subprocess import CalledProcessError
from types import ModuleType

import pytest


@pytest.mark.parametrize(("took", "exit_code"), [(119.0, 0), (121.0, 1)])
def test_the_claim_is_about_the_limit(
    benchmark_module: Callable[[str], ModuleType],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    took: float,
    exit_code: int,
) -> None:
    demo = benchmark_module("demo")
    monkeypatch.setattr(demo, "seconds", lambda command: took)

    assert demo.main() == exit_code
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["ours"], said["peer"], said["holds"]) == (took, 120.0, not exit_code)


def test_a_run_that_fails_is_no_measurement(benchmark_module: Callable[[str], ModuleType]) -> None:
    with pytest.raises(CalledProcessError):
        benchmark_module("demo").seconds([sys.executable, "-c", "raise SystemExit(3)"])
