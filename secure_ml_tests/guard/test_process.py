"""What a process says of itself, through every hook of the interpreter: no text of an error, no value by its form."""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_ml.guard.process import MASKED, RedactedOutput, SafeRecord, _formatted_warning, mask_errors
from secure_ml.vault.errors import VaultError

NAME, PHONE, EMAIL = "Zorblax Quillfeather", "98765 01234", "zorblax@invented.example"
PREAMBLE = f"""
import os, sys, threading, asyncio, warnings, logging, atexit, faulthandler, traceback
warnings.simplefilter('always')
NAME, PHONE = {NAME!r}, {PHONE!r}
from secure_ml.guard.process import protect_process, redact_output
protect_process()
"""

PROGRAMS = {
    "an uncaught error": "raise ValueError(NAME + PHONE)",
    "a chain of errors": "try: raise KeyError(NAME)\nexcept KeyError as e: raise ValueError(PHONE) from e",
    "a group of errors": "raise ExceptionGroup(NAME, [ValueError(NAME), KeyError(PHONE)])",
    "an error with a note": "e = ValueError(NAME); e.add_note(PHONE); raise e",
    "an error whose text fails": "class E(Exception):\n def __str__(self): raise KeyError(NAME)\nraise E(NAME)",
    "a thread": "t = threading.Thread(target=lambda: int(NAME), name=NAME); t.start(); t.join()",
    "a destructor": "class D:\n def __del__(self): raise ValueError(NAME + PHONE)\nD()",
    "an exit handler": "atexit.register(lambda: int(NAME))",
    "a warning": "warnings.warn(NAME + PHONE)",
    "a warning of pandas": "import pandas as pd\npd.to_datetime([NAME], errors='ignore')",
    "a warning that is captured": "logging.basicConfig(); logging.captureWarnings(True); warnings.warn(NAME)",
    "a logged error": "try: int(NAME)\nexcept ValueError: logging.exception('failed')",
    "an error as a message": "try: int(NAME)\nexcept ValueError as e: logging.getLogger('a').error(e)",
    "an error as an argument": "try: int(NAME)\nexcept ValueError as e: logging.getLogger('a').error('failed: %s', e)",
    "a message that cannot be made": "logging.getLogger('a').error('%d', NAME)",
    "a task that nobody awaits": (
        "async def fail(): raise ValueError(NAME + PHONE)\n"
        "async def run():\n task = asyncio.create_task(fail()); await asyncio.sleep(0.01); del task\n"
        "asyncio.run(run())"
    ),
    "a fault": "name = NAME\nfaulthandler.enable(); faulthandler.dump_traceback()",
    "what is printed": "redact_output()\nprint(PHONE)\nprint(PHONE[:4], end='', flush=True); print(PHONE[4:])",
    "a trace that is printed": "redact_output()\ntry: int(NAME)\nexcept ValueError: traceback.print_exc()",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_process_speaks_of_no_value(program: str, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(f"{PREAMBLE}\n{program}\n", encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    told = done.stdout + done.stderr

    assert told.strip()
    assert "Zorblax" not in told
    assert PHONE not in told


def test_an_uncaught_error_is_told_by_its_place_and_its_causes(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        f"{PREAMBLE}\ndef fail():\n    {{}}[NAME]\ntry: fail()\nexcept KeyError as e: raise OSError from e"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert "OSError\ncaused by\n" in done.stderr
    assert 'program.py", line' in done.stderr
    assert "in fail\nKeyError" in done.stderr


def test_an_interrupt_is_one_word() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{PREAMBLE}\nraise KeyboardInterrupt(NAME)"], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == "interrupted\n"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a handler of a logger that does not propagate writes, once the process is protected."""
    factory, told = logging.getLogRecordFactory(), io.StringIO()
    logger, handler = logging.getLogger("a.library"), logging.StreamHandler(told)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    logging.setLogRecordFactory(SafeRecord)
    yield told
    logging.setLogRecordFactory(factory)
    logger.removeHandler(handler)
    logger.propagate = True


@pytest.mark.parametrize(
    ("message", "arguments", "told"),
    [
        (f"call {PHONE}", (), "call [number]"),
        ("call %s at %s", (PHONE, EMAIL), "call [number] at [email]"),
        ("call 98765 %s", ("01234",), "call [number]"),
        ("call %(who)s", ({"who": EMAIL},), "call [email]"),
        ("%d rows, %.2f s", (3, 1.5), "3 rows, 1.50 s"),
        ("number %d", (9876501234,), "number [number]"),
        ("failed: %s", (ValueError(NAME),), "failed: ValueError"),
        ("failed: %s", (VaultError("the part is short"),), "failed: VaultError: the part is short"),
        (ValueError(NAME), (), "ValueError"),
        ({"who": EMAIL}, (), "{'who': [email]'}"),
    ],
)
def test_a_message_is_redacted_with_its_arguments(
    log: io.StringIO, message: object, arguments: tuple[object, ...], told: str
) -> None:
    logging.getLogger("a.library").error(message, *arguments)

    assert log.getvalue() == f"ERROR {told}\n"


def test_an_access_log_finds_its_arguments_and_no_value_in_them(log: io.StringIO) -> None:
    from uvicorn.logging import AccessFormatter

    logger = logging.getLogger("a.library")
    logger.handlers[0].setFormatter(
        AccessFormatter("%(client_addr)s %(request_line)s %(status_code)s", use_colors=False)
    )
    logger.error('%s - "%s %s HTTP/%s" %d', "127.0.0.1:1", "GET", f"/graphql?who={EMAIL}", "1.1", 200)

    assert log.getvalue() == "127.0.0.1:1 GET /graphql?who=[email] HTTP/1.1 200 OK\n"


def test_a_warning_about_deprecation_says_what_to_do_and_any_other_only_where() -> None:
    assert _formatted_warning("use b", DeprecationWarning, "a.py", 3) == "a.py:3: DeprecationWarning: use b\n"
    told = _formatted_warning(f"Value {NAME!r} has dtype incompatible", FutureWarning, "a.py", 3)
    assert told.startswith("a.py:3: FutureWarning: its text is left out")
    assert NAME not in told


def test_the_masks_are_set_whatever_the_environment_says() -> None:
    environ = {"DAGSTER_REDACT_USER_CODE_ERRORS": "0", "DAGSTER_REDACTED_ERROR_LOGGER_NAME": "elsewhere", "HOME": "/h"}
    mask_errors(environ)

    assert environ == {**MASKED, "HOME": "/h"}


def test_a_process_that_was_asked_not_to_mask_masks(tmp_path: Path) -> None:
    asked = dict(os.environ) | {"DAGSTER_REDACT_USER_CODE_ERRORS": "0"}
    program = f"{PREAMBLE}\nfrom dagster._utils import error\nprint(error._should_redact_user_code_error())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=asked, timeout=60)

    assert done.stdout == "True\n"


def test_output_keeps_what_a_stream_is_asked_for() -> None:
    target = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    output = RedactedOutput(target)
    output.write(f"{PHONE}\nand ")
    output.flush()

    assert output.encoding == "utf-8"
    assert not output.isatty()
    assert target.buffer.getvalue() == b"[number]\n"  # type: ignore[attr-defined]
    output.finish_line()
    assert target.buffer.getvalue() == b"[number]\nand "  # type: ignore[attr-defined]
