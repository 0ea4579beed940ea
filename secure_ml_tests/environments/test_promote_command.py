"""`secure-ml promote`, from a real run in test to what status says in training."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml_tests.cli.terminal import Said, Terminal

pytestmark = pytest.mark.journey
PROJECT = "loan_approval"


@pytest.fixture(scope="module", autouse=True)
def code() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("secure_ml.installation.package_digest", lambda: "c" * 64)
        yield


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """An installation whose project came to the end in test."""
    root: Path = tmp_path_factory.mktemp("tested")
    terminal = Terminal(root / "home", root / "keys")
    assert terminal("promote", "--list").code == 1
    said = terminal("run", PROJECT, "--environment", "test", "--json")
    assert said.code == 0, said.err
    return terminal


def promoted(terminal: Terminal) -> bool:
    return terminal("status", "--json").json["projects"][PROJECT]["promoted"]


def test_a_project_is_promoted_by_what_it_came_to(tested: Terminal, tmp_path: Path) -> None:
    assert not promoted(tested)
    assert "nothing was promoted" in tested("promote", "--list").out
    said = tested("promote", PROJECT, "--to", "training", "--json")
    assert said.code == 0, said.err
    assert (said.json["environment"], said.json["holds"]) == ("training", True)
    stages = [version["stage"] for version in said.json["evidence"]["versions"]]
    assert {stage: stages.count(stage) for stage in stages} == {
        stage: 4 if stage in {"raw", "classified", "masked"} else 1 for stage in map(str, Stage)
    }
    # Which of the two warns is for the noise of the training to say.
    assert {"validated.performance", "validated.fairness"} & set(said.json["evidence"]["warned"])
    assert promoted(tested)
    assert [one["promotion_id"] for one in tested("promote", PROJECT, "--list", "--json").json["promotions"]] == [
        said.json["promotion_id"]
    ]
    assert "holds" in tested("promote", "--list").out


def test_to_production_it_takes_training(tested: Terminal) -> None:
    said = tested("promote", PROJECT, "--to", "production")
    assert said.code == 1
    assert f"training/{PROJECT}/registered has no committed version" in said.err


def test_evidence_goes_to_another_kernel_in_a_file(tested: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    said = tested("promote", PROJECT, "--to", "training", "--write-evidence", str(file))
    key = said.out.partition("SECURE_ML_ATTESTORS=")[2].strip()
    assert json.loads(file.read_text())["verifier_key"] == key
    assert tested("promote", PROJECT, "--to", "training", "--evidence", str(file)).code == 0
    file.write_text(file.read_text().replace('"evidence":"', '"evidence":"AAAA'))
    assert "bears the signature of no kernel" in tested("promote", PROJECT, "--evidence", str(file)).err
    assert "no evidence" in tested("promote", PROJECT, "--evidence", str(tmp_path / "none")).err


@pytest.mark.parametrize("arguments", [(), ("--to", "training"), (PROJECT, "--to", "test"), (PROJECT, "--to", "moon")])
def test_what_is_asked_for_wrongly_is_told(tested: Terminal, arguments: tuple[str, ...]) -> None:
    said: Said = tested("promote", *arguments)
    assert said.code == 2
