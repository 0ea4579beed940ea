"""The shipped project in development: from a table of its own to a registered model, beside a vault of real data."""

from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml_tests.cli.terminal import Terminal

pytestmark = pytest.mark.journey
PROJECT = "loan_approval"


@pytest.fixture(scope="module")
def developed(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    root: Path = tmp_path_factory.mktemp("developed")
    terminal = Terminal(root / "home", root / "keys")
    said = terminal("run", PROJECT, "--environment", "development", "--json")
    assert said.code == 0, said.err
    assert said.json["environment"] == "development"
    return terminal


def test_every_stage_stands_in_development_and_none_elsewhere(developed: Terminal) -> None:
    stages = {
        environment: developed("status", "--environment", environment, "--json").json["projects"][PROJECT]["stages"]
        for environment in ("development", "test", "training", "production")
    }
    assert [stages["development"][stage]["versions"] for stage in Stage] == [4, 4, 4, 1, 1, 1, 1]
    assert stages["development"]["raw"]["rows"] == 8_000
    assert not any(stages["development"][stage]["closed_by_checks"] for stage in Stage)
    assert not any(stages[other][stage]["versions"] for other in ("test", "training", "production") for stage in Stage)


def test_the_gates_of_the_real_table_warn(developed: Terminal) -> None:
    stages = developed("status", "--environment", "development", "--json").json["projects"][PROJECT]["stages"]
    assert stages["validated"]["warnings"] == 1


def test_its_model_is_registered_beside_those_of_other_environments(developed: Terminal) -> None:
    assert [folder.name for folder in (developed.home / "mlflow" / "artifacts").iterdir()] == ["development"]
