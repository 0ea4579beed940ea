import json
from collections.abc import Callable
from types import ModuleType

import pyarrow as pa
import pytest

from secure_ml.protection.mask.treatment import Treated

Module = Callable[[str], ModuleType]


def test_every_operation_treats_the_cells_that_the_peer_treats(
    benchmark_module: Module, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark_module("masking").main(rows=200, rounds=1, values=2_000, tokens=3_000)

    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["tokens alike"] == 0
    assert min(said[f"ratio of {name}"] for name in benchmark_module("masking").OPERATIONS) == said["ratio"] > 1


@pytest.mark.parametrize(
    ("ours", "ff1", "cmac", "alike", "code"),
    [
        (50.0, 3e6, 3e6, 0, 0), (49.9, 9e6, 9e6, 0, 1), (99.0, 2.9e6, 9e6, 0, 1), (99.0, 9e6, 2.9e6, 0, 1),
        (99.0, 9e6, 9e6, 1, 1),
    ],
)  # fmt: skip
def test_the_claim_is_about_the_slowest_operation_and_all_figures(
    benchmark_module: Module,
    monkeypatch: pytest.MonkeyPatch,
    ours: float,
    ff1: float,
    cmac: float,
    alike: int,
    code: int,
) -> None:
    masking = benchmark_module("masking")
    found = {name: {"ours": 99.0, "peer": 1.0, "operator": 2.0} for name in masking.OPERATIONS}
    found["partial mask"]["ours"] = ours
    monkeypatch.setattr(masking, "compare", lambda rows, rounds: found)
    monkeypatch.setattr(masking, "ff1_per_second", lambda values, rounds: ff1)
    monkeypatch.setattr(masking, "tokens_per_second", lambda values, rounds: cmac)
    monkeypatch.setattr(masking, "colliding_tokens", lambda values: alike)

    assert masking.main(rows=1, rounds=1) == code


def test_a_token_that_is_anothers_is_counted(benchmark_module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    masking = benchmark_module("masking")
    real = masking.treatment({"kind": "token"}, "subject_id")

    class Careless:
        def apply(self, column: pa.Array) -> Treated:
            cells = column.to_pylist()
            return real.apply(pa.array([cell.replace("7", "8") for cell in cells]))

    monkeypatch.setattr(masking, "treatment", lambda spec, entity: Careless())
    assert masking.colliding_tokens(100) == 19
