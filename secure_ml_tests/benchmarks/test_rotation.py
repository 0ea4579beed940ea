import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Module = Callable[[str], ModuleType]


def test_keys_are_rotated_while_another_process_reads(benchmark_module: Module, tmp_path: Path) -> None:
    rotation = benchmark_module("rotation")
    cost = rotation.rotate(tmp_path, 30)

    assert cost.cpu > 0
    assert cost.longest_wait > 0
    assert cost.wall < 60
    assert rotation.rewrap_bare(150) > 0


def test_a_rotation_that_changes_a_key_is_no_result(
    benchmark_module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from secure_ml.keys.store import KeyStore

    create = KeyStore.create
    monkeypatch.setattr(KeyStore, "create", lambda *named: dict.fromkeys(create(*named), b"another"))
    with pytest.raises(RuntimeError, match="another one"):
        benchmark_module("rotation").rotate(tmp_path, 3)


@pytest.mark.parametrize(("ours", "code"), [(3.99, 0), (4.01, 1)])
def test_the_claim_is_about_the_seconds(
    benchmark_module: Module,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    ours: float,
    code: int,
) -> None:
    rotation = benchmark_module("rotation")
    monkeypatch.setattr(rotation, "rotate", lambda folder, versions: rotation.Cost(ours, 5.0, 0.25))
    monkeypatch.setattr(rotation, "rewrap_bare", lambda keys: 0.1)

    assert rotation.main(versions=7) == code
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["ours"], said["keys"], said["wall_s"]) == (ours, 35, 5.0)
