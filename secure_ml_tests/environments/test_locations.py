"""Four code locations of one module, each of which costs what one costs."""

import importlib
from pathlib import Path

import dagster as dg
import pytest
import yaml

import secure_ml.environments
from secure_ml.access.actions import Environment
from secure_ml.settings import SettingsError, project_root


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The environments that the module builds; it is as if freshly imported."""
    asked: list[str] = []

    def build(environment: str) -> dg.Definitions:
        asked.append(environment)
        return dg.Definitions()

    module = importlib.reload(secure_ml.environments)
    monkeypatch.setattr(module, "build", build)
    return asked


def test_the_workspace_names_every_environment_once() -> None:
    declared = yaml.safe_load((project_root() / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    assert [entry["python_module"] for entry in declared] == [
        {"module_name": "secure_ml.environments", "attribute": str(e), "location_name": str(e)} for e in Environment
    ]


def test_importing_the_module_builds_nothing_and_an_attribute_builds_itself_once(built: list[str]) -> None:
    assert built == []
    module = secure_ml.environments
    assert module.development is module.development
    assert built == ["development"]


def test_a_tool_that_looks_around_builds_one_only(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._core.workspace.autodiscovery import loadable_targets_from_loaded_module

    monkeypatch.delenv("SECURE_ML_ENVIRONMENT", raising=False)
    (found,) = loadable_targets_from_loaded_module(secure_ml.environments)
    monkeypatch.setenv("SECURE_ML_ENVIRONMENT", "test")
    (other,) = loadable_targets_from_loaded_module(secure_ml.environments)
    assert (found.attribute, other.attribute) == ("training", "test")
    assert built == ["training", "test"]


def test_what_is_no_environment_is_no_attribute(built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AttributeError, match="there is no environment staging"):
        _ = secure_ml.environments.staging
    monkeypatch.setenv("SECURE_ML_ENVIRONMENT", "staging")
    with pytest.raises(SettingsError, match="SECURE_ML_ENVIRONMENT must be one of development, test"):
        dir(secure_ml.environments)
    assert built == []


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dg.Definitions]:
    from secure_ml.definitions import build

    home: Path = tmp_path_factory.mktemp("locations")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SECURE_ML_HOME", str(home / "home"))
        patched.setenv("SECURE_ML_KEYS", str(home / "keys"))
        return {str(environment): build(environment) for environment in Environment}


def test_every_asset_key_begins_with_its_environment(definitions: dict[str, dg.Definitions]) -> None:
    keys = {environment: defs.resolve_asset_graph().get_all_asset_keys() for environment, defs in definitions.items()}
    assert {environment: {key.path[0] for key in found} for environment, found in keys.items()} == {
        environment: {environment} for environment in definitions
    }
    assert len({len(found) for found in keys.values()}) == 1


def test_no_two_environments_share_a_pool(definitions: dict[str, dg.Definitions]) -> None:
    pools = {
        environment: set(defs.resolve_assets_def(dg.AssetKey([environment, "loan_approval", "trained"])).op.pools)
        for environment, defs in definitions.items()
    }
    assert all(len(found) == 1 for found in pools.values())
    assert len(set.union(*pools.values())) == len(definitions)
