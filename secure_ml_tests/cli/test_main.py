"""The program as a whole: help, exit codes, and the boundary that no error's text passes."""

from collections.abc import Iterator

import pytest
import typer

from secure_ml.cli import status
from secure_ml.cli.main import app
from secure_ml_tests.cli.terminal import Terminal

VALUE = "Zorblax Quillfeather, 9876543210"


def _commands() -> Iterator[tuple[str, ...]]:
    program = typer.main.get_command(app)
    yield ()
    for name, command in program.commands.items():
        yield (name,)
        yield from ((name, below) for below in getattr(command, "commands", {}))


@pytest.mark.parametrize("command", list(_commands()), ids=" ".join)
def test_every_command_explains_itself_and_its_options(command: tuple[str, ...], terminal: Terminal) -> None:
    said = terminal(*command, "--help")
    assert said.code == 0
    assert "Usage" in said.out
    found = typer.main.get_command(app)
    for name in command:
        found = found.commands[name]
    assert found.help
    for parameter in found.params:
        assert getattr(parameter, "help", "") or parameter.name == "help", f"{parameter.name} has no help"
    assert not terminal.home.exists()


def test_there_are_the_commands_that_the_readme_speaks_of() -> None:
    assert {command[0] for command in _commands() if command} == {
        "demo", "init", "anonymity", "run", "status", "ui", "generate", "audit", "access", "keys", "promote", "reveal",
        "kernel", "assessor",
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments", [("frobnicate",), ("run",), ("generate", "loans", "--rows", "0"), ("ui", "--port", "0")]
)
def test_what_is_asked_wrongly_is_refused_with_2(arguments: tuple[str, ...], terminal: Terminal) -> None:
    said = terminal(*arguments)
    assert said.code == 2
    assert not said.out
    assert not terminal.home.exists()


class PanicException(BaseException):
    """As pyo3 raises it where Rust code gives up."""


@pytest.mark.parametrize("kind", [ValueError, PanicException])
def test_an_error_that_quotes_a_cell_becomes_one_line_without_it(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    def fail() -> None:
        raise kind(f"could not convert string to float: '{VALUE}'\nsecond line")

    monkeypatch.setattr(status, "open_state", fail)
    said = terminal("status")
    assert said.code == 1
    assert not said.out
    assert said.err == f"error {kind.__name__} at secure_ml/cli/status.py:" + said.err.rpartition(":")[2]
    assert said.err.count("\n") == 1
    assert VALUE not in said.err


def test_ctrl_c_ends_quietly_with_130(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(status, "open_state", interrupt)
    said = terminal("status")
    assert said.code == 130
    assert "Traceback" not in said.err + said.out


def test_wrong_settings_are_one_line(terminal: Terminal) -> None:
    said = Terminal(terminal.home, terminal.home / "keys")("status")
    assert said.code == 1
    assert said.err.startswith("error SettingsError: SECURE_ML_KEYS and SECURE_ML_HOME")
    assert said.err.count("\n") == 1
