"""Everything by which a Python process speaks of itself, made safe once for all: logging, warnings, uncaught errors.

Belongs here: the hooks of the interpreter and its standard library. Must stay out: what is redacted (redaction), and
the descriptors of a step's output (orchestration).

Hooks of logging that hang on a logger or a handler miss those that are made later, or that do not propagate, as
Dagster's and MLflow's: here each record is made safe when it is made. Messages are kept and redacted; the texts of
errors, which quote cells, are left out wherever they are handed over as errors.
"""

import io
import logging
import os
import sys
import threading
import warnings
from collections.abc import Mapping, MutableMapping
from types import MappingProxyType, TracebackType
from typing import Any, TextIO

from secure_ml.guard.errors import describe, is_ours, trace
from secure_ml.guard.lines import LineRedactor
from secure_ml.guard.redaction import standard_redactor

MASKED: Mapping[str, str] = MappingProxyType(
    {
        # Dagster masks errors of user code in its event log and in its answers, and gives them to a logger instead.
        "DAGSTER_REDACT_USER_CODE_ERRORS": "1",
        "DAGSTER_REDACTED_ERROR_LOGGER_NAME": "dagster.redacted_errors",
    }
)
"""Environment variables under which libraries keep the texts of errors to themselves."""

_TOLD_BY = (DeprecationWarning, PendingDeprecationWarning, ImportWarning)
_TEXTS_WITHOUT_CELLS = frozenset({"dagster", "dagster_shared"})
_NO_TEXT = "its text is left out: it may quote a value"


def mask_errors(environ: MutableMapping[str, str]) -> None:
    """Sets every variable of `MASKED`, whatever it was before.

    Args:
        environ: the process's environment, or one that a child will get.
    """
    environ.update(MASKED)


def protect_process() -> None:
    """Makes log records, warnings and uncaught errors of this process safe, whoever writes them. Once is enough."""
    mask_errors(os.environ)
    logging.setLogRecordFactory(SafeRecord)
    warnings.formatwarning = _formatted_warning
    sys.excepthook = _tell_uncaught
    threading.excepthook = _tell_uncaught_in_thread
    sys.unraisablehook = _tell_unraisable
    logging.Handler.handleError = _tell_unlogged  # type: ignore[assignment]


def redact_output() -> None:
    """Redacts what Python code prints outside of a step, line by line, until the process ends.

    For servers that run other people's definitions, sensors and schedules. What a child process or a library in C
    writes to the descriptor itself passes by; inside a step the descriptor is redacted.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, RedactedOutput):
            setattr(sys, name, RedactedOutput(stream))


class SafeRecord(logging.LogRecord):
    """A log record whose message is redacted, and which tells of an error where it came from and not what it said."""

    def __init__(
        self,
        name: str,
        level: int,
        pathname: str,
        lineno: int,
        msg: object,
        args: Any,
        exc_info: Any,
        func: str | None = None,
        sinfo: str | None = None,
        **_: object,
    ) -> None:
        safe_args = (
            {k: _safe(v) for k, v in args.items()} if isinstance(args, Mapping) else tuple(map(_safe, args or ()))
        )
        super().__init__(name, level, pathname, lineno, _safe(msg), safe_args, None, func, sinfo)
        if exc_info and isinstance(exc_info[1], BaseException):
            self.exc_text = trace(exc_info[1])

    def getMessage(self) -> str:  # noqa: N802 - the name is logging's
        """The message with its arguments: a value may lie across both."""
        return standard_redactor().redact(super().getMessage())


class RedactedOutput(io.TextIOBase):
    """A text stream whose lines are redacted before they go on; what has no end of a line yet waits for it.

    Args:
        stream: where they go.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lines = stream, LineRedactor(standard_redactor().redact)
        self._one_at_a_time = threading.Lock()

    def write(self, text: str) -> int:
        """Takes the text; gives its length, as any stream."""
        with self._one_at_a_time:
            self._stream.write(self._lines.feed(text))
        return len(text)

    def finish_line(self) -> None:
        """Writes what waits for the end of its line."""
        with self._one_at_a_time:
            self._stream.write(self._lines.finish())
        self._stream.flush()

    def flush(self) -> None:
        """Flushes the lines that are complete."""
        self._stream.flush()

    def fileno(self) -> int:
        """The descriptor below, for which nothing is redacted."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """As the stream below."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """It is."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # TextIOBase has an attribute
        """As the stream below."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # as above
        """As the stream below."""
        return self._stream.errors


def _safe(value: object) -> object:
    """A piece of a message: text redacted, of an error no text that is not ours; anything else as it is."""
    if isinstance(value, str):
        return standard_redactor().redact(value)
    return describe(value) if isinstance(value, BaseException) else value


def _formatted_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning of ours, of Dagster or about deprecation as it is; of any other its class and place."""
    module = category.__module__.partition(".")[0]
    told = issubclass(category, _TOLD_BY) or module in _TEXTS_WITHOUT_CELLS or is_ours(category)
    text = str(message) if told else _NO_TEXT
    return standard_redactor().redact(f"{filename}:{lineno}: {category.__name__}: {text}\n")


def _tell_uncaught(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    _tell("uncaught error", error, kind)


def _tell_uncaught_in_thread(what: threading.ExceptHookArgs) -> None:
    if what.exc_type is not SystemExit:
        _tell("uncaught error in a thread", what.exc_value, what.exc_type)


def _tell_unraisable(what: "sys.UnraisableHookArgs") -> None:
    _tell("ignored error", what.exc_value, None)


def _tell_unlogged(_: logging.Handler, record: logging.LogRecord) -> None:
    """A message that could not be made or written; Python's own would print its arguments."""
    _tell(f"a log record of {record.pathname}:{record.lineno} was lost", sys.exception(), None)


def _tell(words: str, error: BaseException | None, kind: type[BaseException] | None) -> None:
    if sys.stderr is None:
        return
    if isinstance(error, KeyboardInterrupt):
        sys.stderr.write("interrupted\n")
        return
    told = trace(error) if error is not None else kind.__qualname__ if kind is not None else _NO_TEXT
    sys.stderr.write(f"{words}:\n{told}\n")
