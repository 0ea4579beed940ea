import json
from collections.abc import Callable
from types import ModuleType

import pytest

Module = Callable[[str], ModuleType]


def test_the_row_as_shipped_is_the_shipped_policy(benchmark_module: Module) -> None:
    cost = benchmark_module("anonymity_cost")
    cost.MONTHS[:] = cost.MONTHS[:1]
    known, change = cost.ROWS[cost.SHIPPED]
    mean, most, classes, all_lose = cost.suppressed(known, change, k=5)

    assert mean == most == pytest.approx(0.0703, abs=1e-4)
    assert classes > 100
    assert not all_lose
    assert cost.suppressed(*cost.ROWS["all seven, as delivered"], k=5)[1] == 1.0


@pytest.mark.parametrize(("share", "auc", "code"), [(0.08, 0.82, 0), (0.081, 0.9, 1), (0.01, 0.819, 1)])
def test_the_claim_is_about_what_is_lost_and_what_is_learned(
    benchmark_module: Module,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    auc: float,
    code: int,
) -> None:
    cost = benchmark_module("anonymity_cost")
    monkeypatch.setattr(cost, "suppressed", lambda known, change, *, k: (share, share, 9.0, False))
    monkeypatch.setattr(cost, "auc", lambda known, change: auc)

    assert cost.main((cost.SHIPPED, "all seven, as delivered")) == code
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["ours"], said["suppressed"], said["goal"]) == (auc, share, 0.82)
