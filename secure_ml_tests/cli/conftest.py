"""Installations that the command line's tests speak to."""

from pathlib import Path

import pytest

from secure_ml.settings import project_root
from secure_ml_tests.cli.terminal import Terminal
from secure_ml_tests.fakes.small_project import PARTITIONS, PROJECT, Attributes, as_csv, attributes, rows, write_policy


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A terminal whose installation does not exist yet."""
    return Terminal(tmp_path / "home", tmp_path / "keys")


@pytest.fixture(scope="session")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A terminal whose installation holds the small project up to `masked`. Look, but do not write."""
    root = tmp_path_factory.mktemp("protected")
    terminal = Terminal(root / "home", root / "keys")
    write_small_project(terminal)
    said = terminal("run", PROJECT, "--until", "masked", "--partition", PARTITIONS[0], "--json")
    assert said.code == 0, said.err
    return terminal


def write_small_project(terminal: Terminal, content: Attributes | None = None) -> Path:
    """The small project in two partitions, as if drafted into the terminal's installation. Returns its folder."""
    content = content or small_policy()
    folder = terminal.home / "projects" / PROJECT
    write_policy(folder, content)
    table = rows()
    for key, piece in zip(PARTITIONS, (table[:30], table[30:]), strict=True):
        (folder / f"table-{key}.csv").write_text(as_csv(piece), encoding="utf-8")
    return folder


def small_policy() -> Attributes:
    """Its policy, declared as the detectors see it."""
    content = attributes(partitioned=True)
    content["columns"]["diagnosis"]["identifiability"] = "quasi"
    return content


def shipped_projects() -> list[str]:
    """Names of the projects in the package."""
    return sorted(file.parent.name for file in (project_root() / "secure_ml" / "defs").glob("*/defs.yaml"))
