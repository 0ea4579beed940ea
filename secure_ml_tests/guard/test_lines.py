"""Redaction of a stream: the same whatever the writes, in bounded memory, and past no end of a quoted text."""

import json
import pprint
import time
import traceback
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_ml.guard.lines import LONGEST_LINE, LineRedactor
from secure_ml.guard.redaction import Redactor
from secure_ml.vault.errors import VaultError

NAME = "Meera Kulkarni"
REDACT = Redactor().redact
FOUND = {
    "success": False,
    "result": {
        "partial_unexpected_list": [NAME, "]", 'say "Meera"'],
        "partial_unexpected_counts": [{"value": NAME, "count": 1}],
        "observed_value": [NAME],
    },
    "meta": {"rows": 3},
}


def streamed(text: str, size: int = 7) -> str:
    """What comes out when the text is written in pieces of a size."""
    lines = LineRedactor(REDACT)
    return "".join(lines.feed(text[i : i + size]) for i in range(0, len(text), size)) + lines.finish()


def printed_trace(action: Callable[[], object]) -> str:
    try:
        action()
    except BaseException:  # noqa: BLE001 - of any error the trace is printed
        return traceback.format_exc()
    raise AssertionError("it raised nothing")


def raising() -> None:
    raise ValueError(f"{NAME}\nof {NAME}\tstreet\n    {NAME}")


def chained() -> None:
    try:
        raising()
    except ValueError as error:
        error.add_note(NAME)
        raise LookupError(NAME) from error


def grouped() -> None:
    raise ExceptionGroup(NAME, [ValueError(NAME), ExceptionGroup(NAME, [OSError(NAME)])])


def of_a_project() -> None:
    raise type("CarelessError", (Exception,), {"__module__": "secure_ml.defs.loans"})(NAME)


@pytest.mark.parametrize("action", [raising, chained, grouped, of_a_project])
@pytest.mark.parametrize("size", [1, 13, 100_000])
def test_of_a_printed_trace_the_texts_go_and_the_frames_stay(action: Callable[[], None], size: int) -> None:
    redacted = streamed(f"before\n{printed_trace(action)}\nafter\n", size)

    assert NAME.split()[0] not in redacted.replace("(NAME", "")
    assert redacted.startswith("before\n")
    assert redacted.endswith("\nafter\n")
    assert 'test_lines.py", line' in redacted
    assert "Error: [text]" in redacted


def test_an_error_of_this_package_keeps_its_words_in_a_printed_trace() -> None:
    def refuse() -> None:
        raise VaultError("the part is shorter than its manifest says")

    assert "VaultError: the part is shorter than its manifest says" in streamed(printed_trace(refuse))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(FOUND, indent=2),
        json.dumps(FOUND, indent=1),
        json.dumps(FOUND),
        pprint.pformat(FOUND, width=30),
        f"[SQL: insert into people\nvalues ('{NAME}')]\n[parameters: ('{NAME}')]",
        f"-----BEGIN EC PRIVATE KEY-----\n{NAME}\n-----END EC PRIVATE KEY-----",
        f"Feature names unseen at fit time:\n- {NAME}\n",
        f'CSV parse error: Expected 2 columns, got 3: "{NAME}\n{NAME}",2,3\n',
        f"DETAIL:  Failing row contains (1, {NAME}\n{NAME}, null).\n",
        f"sqlalchemy.exc.DataError: {NAME}\n{NAME}\n",
    ],
    ids=lambda text: text[:24],
)
@pytest.mark.parametrize("size", [1, 11, 100_000])
def test_a_text_over_several_lines_is_left_out_to_its_end(text: str, size: int) -> None:
    redacted = streamed(f"before\n{text}\nafter\n", size)

    assert "Meera" not in redacted
    assert redacted.startswith("before\n")
    assert redacted.endswith("after\n")


def test_another_record_ends_what_has_no_end() -> None:
    text = f"could not convert string to float: 'a\n{NAME}\n2024-11-24 03:47:12 +0000 - INFO - next\nand on\n"

    assert streamed(text).endswith("\n2024-11-24 03:47:12 +0000 - INFO - next\nand on\n")


@given(
    st.lists(st.sampled_from(["98765 01234", "\n", "\r", "\r\n", " and ", "x", "'", "KeyError: "]), max_size=12),
    st.data(),
)
def test_the_cut_into_writes_changes_nothing(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    lines, written, at = LineRedactor(REDACT), "", 0
    while at < len(text):
        size = data.draw(st.integers(1, len(text) - at))
        written += lines.feed(text[at : at + size])
        at += size

    assert written + lines.finish() == streamed(text, max(1, len(text)))
    assert "98765 01234" not in written


def test_a_line_comes_out_once_it_is_whole_and_a_progress_bar_moves() -> None:
    lines = LineRedactor(REDACT)

    assert lines.feed("98765") == ""
    assert lines.feed(" 01234\nnext") == "[number]\n"
    assert lines.feed(" line\r 10%\r 20%") == "next line\r 10%\r"
    assert lines.finish() == " 20%"


@pytest.mark.parametrize("ending", ["\n", ""])
def test_a_line_without_end_is_cut_and_takes_no_memory(ending: str) -> None:
    lines, word = LineRedactor(REDACT), "word " * 1000
    written = [lines.feed(word) for _ in range(400)]
    kept = sum(map(len, lines._partial))
    text = "".join([*written, lines.feed(f"98765 01234{ending}next"), lines.finish()])

    assert kept <= LONGEST_LINE
    assert len(text) < LONGEST_LINE + 100
    assert text.endswith("[text]\nnext" if ending else "[text]")


def test_a_long_line_without_a_word_is_left_out() -> None:
    assert streamed("x" * 200_000 + "98765 01234\nnext\n", 100_000) == "[text]\nnext\n"


def test_bytes_that_are_no_text_pass_as_such() -> None:
    garbage = bytes(range(256)).decode("utf-8", errors="replace") * 3

    assert len(streamed(garbage)) > 300


@pytest.mark.parametrize("piece", ["'unexpected_list': [", "Traceback (most recent call last):", "KeyError: '", "x "])
def test_hostile_lines_cost_linear_time(piece: str) -> None:
    def cost(size: int) -> float:
        text = piece * (size // len(piece)) + "\n"
        started = time.process_time()
        streamed(text * 4, 1 << 16)
        return time.process_time() - started

    assert cost(48_000) < 12 * cost(12_000) + 0.2
