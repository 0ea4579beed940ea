"""`secure-ml reveal`."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from secure_ml.cli import reveal
from secure_ml.vault.client import Client
from secure_ml_tests.cli.terminal import Said, Terminal
from secure_ml_tests.fakes.appointed_people import ACTORS, Clock, open_appointed_people
from secure_ml_tests.fakes.reversible_columns import mask, masked_cell, with_reversible_columns
from secure_ml_tests.fakes.small_project import PROJECT, make_small_project, rows

ONE = rows()[7]
WHY = ("--case", "K-47/11", "--reason", "the member has to be told that the decision was wrong")

Typed = Callable[..., Said]


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("masked")
    mask(make_small_project(root, change=with_reversible_columns).reopened(clock=Clock()))
    (root / "actors.yaml").write_text(ACTORS, encoding="utf-8")
    return root


@pytest.fixture
def client_of(masked: Path) -> Callable[[str], Client]:
    return open_appointed_people(masked, Clock()).client_of


@pytest.fixture
def cell(client_of: Callable[[str], Client], masked: Path) -> str:
    return masked_cell(open_appointed_people(masked, Clock()).installation, "email", ONE["email"])


@pytest.fixture
def typed(client_of: Callable[[str], Client], terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Types the command as the user with a login, with something on standard input."""

    def typed(login: str, given: str, *arguments: str) -> Said:
        monkeypatch.setattr(reveal, "open_state", lambda: client_of(login))
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        return terminal("reveal", *arguments)

    return typed


@pytest.mark.parametrize("end", ["\n", ""])
def test_the_value_goes_to_standard_output_and_nothing_else_does(typed: Typed, cell: str, end: str) -> None:
    said = typed("steward", cell + end, PROJECT, "email", *WHY)
    assert (said.code, said.out) == (0, ONE["email"] + "\n")
    assert said.err.startswith("revealed one value of email; the log has it as entry ")
    assert ONE["email"] not in said.err
    assert cell not in said.err


def test_who_may_not_gets_one_line_and_an_exit_code(typed: Typed, cell: str) -> None:
    said = typed("scientist", cell, PROJECT, "email", *WHY)
    assert (said.code, said.out) == (1, "")
    assert "value.reveal of masked in training is not among what the role data_scientist allows" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("given", ["zorblax.00007@invented.example", "ds1_zorblax9876543210"])
def test_a_value_that_was_never_made_is_in_no_message(typed: Typed, given: str) -> None:
    said = typed("steward", given, PROJECT, "email", *WHY)
    assert (said.code, said.out) == (1, "")
    assert "error NotMaskedHere: training/clinic/masked: this is no value" in said.err
    assert "zorblax" not in said.err


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ("", (PROJECT, "email", *WHY)),
        ("\n", (PROJECT, "email", *WHY)),
        ("ds1_zorblax\nds1_quillfeather\n", (PROJECT, "email", *WHY)),
        ("ds1_zorblax", (PROJECT, "email", *WHY[:2])),
        ("ds1_zorblax", (PROJECT, "email", *WHY[2:])),
        ("ds1_zorblax", (PROJECT, *WHY)),
        ("", (PROJECT, "email", "ds1_zorblax", *WHY)),
        ("ds1_zorblax", (PROJECT, "email", *WHY, "--environment", "staging")),
        ("quillfeather\udce9", (PROJECT, "email", *WHY)),
        ("ds1_zorblax", (PROJECT, "email", *WHY[:2], "--reason", "quillfeather\udce9 asked for it")),
    ],
)
def test_what_is_asked_for_wrongly_is_told_before_the_kernel_is_asked(
    typed: Typed, given: str, arguments: tuple[str, ...]
) -> None:
    said = typed("steward", given, *arguments)
    assert (said.code, said.out) == (2, "")
    assert "quillfeather" not in said.err


def test_a_byte_on_standard_input_that_is_not_utf_8_is_told_without_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reveal.sys, "stdin", io.TextIOWrapper(io.BytesIO(b"quillfeather\xe9"), "utf-8"))
    with pytest.raises(typer.BadParameter, match="not UTF-8") as refused:
        reveal._given()
    assert "quillfeather" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_no_option_takes_the_masked_value() -> None:
    command = typer.main.get_command(_program()).commands["reveal"]
    assert {parameter.name for parameter in command.params} == {
        "project", "column", "case", "reason", "partition", "environment",
    }  # fmt: skip


def _program() -> typer.Typer:
    from secure_ml.cli.main import app

    return app


class ATerminal(io.StringIO):
    """What a person types at."""

    def isatty(self) -> bool:
        return True


def test_at_a_terminal_it_is_asked_for_without_being_shown_and_control_characters_do_nothing(
    client_of: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    prompted: list[dict[str, object]] = []

    def prompt(words: str, **how: object) -> str:
        prompted.append({"words": words, **how})
        return cell

    shown = ATerminal()
    monkeypatch.setattr(reveal, "open_state", lambda: client_of("steward"))
    monkeypatch.setattr(typer, "prompt", prompt)
    monkeypatch.setattr(sys, "stdin", ATerminal())
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(reveal, "reveal", lambda kernel, request: _with_a_bell(request.masked_value == cell))
    reveal.reveal_value(PROJECT, "email", case="K-47/11", reason=WHY[3])
    assert prompted == [{"words": "masked value", "hide_input": True, "err": True}]
    assert shown.getvalue() == "zorblax\N{REPLACEMENT CHARACTER}\n"


def _with_a_bell(asked_for_it: bool) -> object:
    from secure_ml.protection.mask.revealing import ValueRevealed

    assert asked_for_it
    return ValueRevealed(value="zorblax\a", audit_index=3)
