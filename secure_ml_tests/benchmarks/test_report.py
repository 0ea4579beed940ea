import io
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Module = Callable[[str], ModuleType]
SHAPE = ["claim", "ours", "peer", "unit", "ratio", "goal", "holds"]


@pytest.mark.parametrize(("ours", "holds", "code"), [(1.4, True, 0), (1.5, True, 0), (1.51, False, 1)])
def test_a_claim_holds_up_to_its_goal_and_the_exit_code_says_so(
    benchmark_module: Module, ours: float, holds: bool, code: int
) -> None:
    report, out = benchmark_module("report"), io.StringIO()
    result = report.at_most("a claim", ours=ours, peer=1.0, unit="s", goal=1.5)

    assert report.report(result, header=["case", "s"], rows=[["ours", "1.4"]], out=out) == code
    assert json.loads(out.getvalue().splitlines()[-1])["holds"] is holds


def test_the_last_line_is_one_object_with_the_seven_fields_and_the_further_figures(benchmark_module: Module) -> None:
    report, out = benchmark_module("report"), io.StringIO()
    result = report.at_most("a claim", ours=3, peer=2, unit="MB", goal=2, rows=7)
    report.report(result, header=["case", "MB"], rows=[["ours", "3"], ["the peer", "2"]], out=out)
    *table, last = out.getvalue().splitlines()

    assert list(json.loads(last)) == [*SHAPE, "rows"]
    assert json.loads(last)["ratio"] == 1.5
    assert table[:3] == ["case      MB", "ours       3", "the peer   2"]


def test_a_benchmark_that_cannot_run_here_says_so_and_claims_nothing(benchmark_module: Module) -> None:
    out = io.StringIO()

    assert benchmark_module("report").skip("a claim", reason="no data", out=out) == 0
    said = json.loads(out.getvalue().splitlines()[-1])
    assert list(said) == [*SHAPE, "skipped"]
    assert said == {**dict.fromkeys(SHAPE), "claim": "a claim", "skipped": "no data"}


def test_without_the_census_the_benchmark_of_utility_is_skipped_in_the_same_shape(
    benchmark_module: Module, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECURE_ML_DATASETS", str(tmp_path))

    assert benchmark_module("private_utility").main() == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(said) == [*SHAPE, "skipped"]
    assert (said["holds"], said["claim"]) == (None, benchmark_module("private_utility").CLAIM)
    assert "SECURE_ML_DATASETS" in said["skipped"]
