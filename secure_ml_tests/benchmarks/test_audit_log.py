import json
from collections.abc import Callable
from types import ModuleType

import pytest

Module = Callable[[str], ModuleType]


def test_entries_of_one_thread_and_of_many_are_measured(
    benchmark_module: Module, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark_module("audit_log").main(entries=8, rounds=1)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["ours"] > 0
    assert told["peer"] > 0


@pytest.mark.parametrize(("together", "code"), [(0.5, 0), (0.51, 1)])
def test_the_claim_is_about_half(
    benchmark_module: Module,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    together: float,
    code: int,
) -> None:
    audit_log = benchmark_module("audit_log")
    monkeypatch.setattr(
        audit_log, "seconds_an_entry", lambda log, *, threads, entries: 1.0 if threads == 1 else together
    )
    assert audit_log.main(entries=1, rounds=1) == code
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["holds"] is not bool(code)
