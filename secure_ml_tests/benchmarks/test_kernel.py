import json
import os
from collections.abc import Callable
from subprocess import CalledProcessError, CompletedProcess
from types import ModuleType, SimpleNamespace

import pytest

Module = Callable[[str], ModuleType]


@pytest.mark.parametrize(("first", "code"), [(43.9, 0), (44.1, 1)])
def test_the_claim_is_about_the_medians_of_turns(
    benchmark_module: Module,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    first: float,
    code: int,
) -> None:
    kernel = benchmark_module("kernel")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    measured = iter([(first, 40.0, 39.0), (200.0, 300.0, 200.0), (1.0, 2.0, 1.0)])
    monkeypatch.setattr(kernel, "measure", lambda turn: next(measured))

    assert kernel.main() == code
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["ours"], said["peer"], said["services_warm_s"], said["turns"]) == (first, 40.0, 39.0, 3)


def test_without_root_nothing_is_measured_and_it_says_so(
    benchmark_module: Module, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert benchmark_module("kernel").main() == 0
    assert "needs root" in json.loads(capsys.readouterr().out.splitlines()[-1])["skipped"]


def test_a_run_that_fails_is_no_measurement(benchmark_module: Module) -> None:
    failed = SimpleNamespace(secure_ml=lambda *_: CompletedProcess(["secure-ml"], 1, "", "error"))
    with pytest.raises(CalledProcessError):
        benchmark_module("kernel").separated_seconds(failed)
    fails = SimpleNamespace(environ={"SECURE_ML_PROFILE": "separated"}, command=lambda *_: ["false"])
    with pytest.raises(CalledProcessError):
        benchmark_module("kernel").personal_seconds(fails)
