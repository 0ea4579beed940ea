import json
from collections.abc import Callable
from types import ModuleType

import pytest

Module = Callable[[str], ModuleType]


def test_a_table_goes_from_raw_to_masked_in_a_process_of_its_own(benchmark_module: Module) -> None:
    measured = benchmark_module("stream").measure(2_000)

    assert measured["rows"] == 2_000
    assert 0 < measured["before_mb"] <= measured["peak_mb"]


@pytest.mark.parametrize(("growth", "code"), [(1.29, 0), (1.31, 1)])
def test_the_claim_is_about_the_peaks(
    benchmark_module: Module,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    growth: float,
    code: int,
) -> None:
    stream = benchmark_module("stream")

    def measure(rows: int) -> dict[str, float]:
        peak = 400.0 if rows == 5 else 400.0 * growth
        return {"rows": float(rows), "before_mb": 150.0, "peak_mb": peak, "seconds": 1.0}

    monkeypatch.setattr(stream, "measure", measure)

    assert stream.main(rows=5) == code
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["ratio"], said["goal"], said["rows"]) == (growth, 1.3, 50)
