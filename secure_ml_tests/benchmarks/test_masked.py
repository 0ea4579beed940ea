import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Module = Callable[[str], ModuleType]


def test_a_small_table_goes_through_the_door_and_between_plain_files(benchmark_module: Module, tmp_path: Path) -> None:
    masked = benchmark_module("masked")
    masked.generate(tmp_path, 2_000)
    through_the_door, plain = masked.ours(tmp_path), masked.peer(tmp_path)
    assert through_the_door["rows"] == 2_000
    assert min(through_the_door["seconds"], through_the_door["mask_cpu"], plain["seconds"]) > 0


@pytest.mark.parametrize(("seconds", "peak", "code"), [(14.9, 129.0, 0), (15.1, 129.0, 1), (14.9, 131.0, 1)])
def test_the_claim_is_about_the_time_of_plain_files_and_the_memory_of_a_tenth(
    benchmark_module: Module,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    peak: float,
    code: int,
) -> None:
    masked = benchmark_module("masked")
    shares = {"decrypt_cpu": 1.0, "mask_cpu": 2.0, "encrypt_cpu": 1.0}
    door = {"rows": 100.0, "seconds": seconds, "before_mb": 1.0, **shares}
    plain = {"seconds": 10.0, "cpu": 10.0, "peak_mb": 2.0}

    def measure(rows: int, *jobs: str) -> list[dict[str, float]]:
        return [{**door, "peak_mb": peak if rows == 100 else 100.0}, plain][: len(jobs)]

    monkeypatch.setattr(masked, "measure", measure)
    assert masked.main(rows=100) == code
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["share_decrypt"], told["share_mask"], told["share_encrypt"]) == (0.25, 0.5, 0.25)
