"""Every command in the pages is run, or is one that continuous integration runs."""

import re
import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from secure_ml.settings import project_root, read_settings
from secure_ml_tests.cli.terminal import Terminal
from secure_ml_tests.cli.test_init import write_visits
from secure_ml_tests.docs.pages import ROOT, blocks, named, pages

SHELLS = {"bash", "console"}
JOURNEYS = ROOT / "secure_ml_tests" / "journeys"
VENV = ".venv/bin/"

# Who runs a target of the Makefile: a file or folder of the checkout, and what must stand in it.
RUN_BY = {
    "setup": (ROOT / "Makefile", r"^test: setup\b"),
    "test": (ROOT / ".ci" / "run", r"^make test$"),
    "check": (ROOT / ".ci" / "run", r"^make check$"),
    "demo": (ROOT / "secure_ml_tests" / "fakes" / "demo_run.py", r'"secure-ml"\), "demo"'),
    "ui": (JOURNEYS, r"\bmake ui\b|[\"']ui[\"']"),
}


def commands(page: Path) -> list[list[str]]:
    """The commands of a page's shell blocks, as words, without comments."""
    lines = [line for block in blocks(page) if block.kind in SHELLS for line in block.lines]
    return [words for line in lines if (words := shlex.split(line.removeprefix("$ "), comments=True))]


AS_ROOT = {ROOT / "docs" / "separated.md"}
"""Pages that root types: they make users of the operating system; fakes/separated.py does the same for the tests."""

PAGES = [page for page in pages() if commands(page) and page not in AS_ROOT]


@dataclass
class Reader:
    """Somebody who types what a page says, line by line, in a folder of their own."""

    folder: Path
    terminal: Terminal = field(init=False)

    def __post_init__(self) -> None:
        self.terminal = Terminal(self.folder / ".secure_ml", self.folder / ".secure_ml_keys")
        write_visits(self.folder / "visits.csv")

    def type(self, words: list[str]) -> None:
        """Runs one command."""
        while re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        program, arguments = words[0], words[1:]
        if program == VENV + "secure-ml":
            self._secure_ml(arguments)
        elif program == VENV + "mlflow":
            self._mlflow(arguments)
        else:
            pytest.fail(f"nobody runs {program!r}: say here how it is run")

    def _secure_ml(self, arguments: list[str]) -> None:
        if arguments[0] == "run":
            self._edit(arguments[1])
        if arguments[0] == "anonymity":
            self._ask_for_anonymity(arguments[1])
        said = self.terminal(*arguments)
        assert said.code == 0, said.err

    def _edit(self, name: str) -> None:
        """What the page asks for before: here the steward takes over what was drafted."""
        folder = self.terminal.home / "projects" / name
        assert folder.is_dir(), "the page runs a project that it has not drafted"
        shutil.rmtree(folder)
        drafted = ["--data", "visits.csv", "--label", "readmitted", "--subject", "patient_id", "--accept"]
        assert self.terminal("init", name, *drafted).code == 0

    def _ask_for_anonymity(self, name: str) -> None:
        """What the page asks for before: here the steward writes its section into the policy."""
        (section,) = (block for block in blocks(ROOT / "docs" / "anonymity.md") if block.kind == "yaml")
        policy = self.terminal.home / "projects" / name / "defs.yaml"
        content = yaml.safe_load(policy.read_text(encoding="utf-8"))
        content["attributes"] |= yaml.safe_load("\n".join(section.lines))
        policy.write_text(yaml.safe_dump(content), encoding="utf-8")

    def _mlflow(self, arguments: list[str]) -> None:
        """A server is not started; its program and the database that it is pointed to are the right ones."""
        from secure_ml.orchestration.registry import RegistryResource

        assert Path(sys.executable).with_name("mlflow").is_file()
        assert arguments[:2] == ["ui", "--backend-store-uri"]
        registry = RegistryResource(read_settings({}))
        assert arguments[2].replace("sqlite:///", f"sqlite:///{project_root()}/") == registry.tracking_uri


def is_run_by_somebody(target: str) -> None:
    """A target that is there, and that continuous integration or a journey runs."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE), target
    place, words = RUN_BY[target]
    files = sorted(place.glob("test_*.py")) if place.is_dir() else [place]
    texts = (file.read_text(encoding="utf-8") for file in files)
    assert any(re.search(words, text, re.MULTILINE) for text in texts), f"nobody runs make {target}"


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.chdir(tmp_path)
    return Reader(tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_a_page_says_can_be_typed(page: Path, reader: Reader) -> None:
    for words in commands(page):
        if words[0] != "make":
            reader.type(words)


TARGETS = sorted({target for page in PAGES for words in commands(page) if words[0] == "make" for target in words[1:]})


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_that_a_page_says_is_run_by_somebody(target: str) -> None:
    is_run_by_somebody(target)


def test_the_quickstart_is_among_them() -> None:
    typed = [" ".join(words) for words in commands(ROOT / "README.md")]
    for expected in ("make demo", "make ui", "make test"):
        assert expected in typed
    assert any(line.startswith(f"{VENV}secure-ml init") for line in typed)
    assert any(line.startswith(f"{VENV}secure-ml run") for line in typed)


def test_the_recipe_makes_the_shipped_table(reader: Reader) -> None:
    for words in commands(ROOT / "data" / "README.md"):
        reader.type(words)
    shipped = sorted((ROOT / "data" / "loans").glob("*.csv"))
    assert shipped
    assert {f.name: f.read_bytes() for f in (reader.folder / "data" / "loans").iterdir()} == {
        f.name: f.read_bytes() for f in shipped
    }


def test_a_command_that_nobody_runs_is_noticed(reader: Reader) -> None:
    with pytest.raises(pytest.fail.Exception, match="nobody runs 'curl'"):
        reader.type(["curl", "x"])
    with pytest.raises(AssertionError, match="deploy"):
        is_run_by_somebody("deploy")


def test_every_target_of_the_makefile_is_explained() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert targets
    for target in targets[1].split():
        assert re.search(rf"^{target}:.*## \w", text, re.MULTILINE), f"make {target} has no explanation"
