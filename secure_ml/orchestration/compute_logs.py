"""Compute logs: what a step prints, redacted before it reaches a file or a terminal.

Belongs here: the pipe between a step's stdout and stderr and their files. Must stay out: the rules of redaction.
"""

import codecs
import fcntl
import io
import json
import os
import select
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import IO, Any, Self, TextIO

from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClassData

from secure_ml.guard.lines import LineRedactor
from secure_ml.guard.process import RedactedOutput
from secure_ml.guard.redaction import standard_redactor

_PIPE_BYTES = 1 << 20
"""A library that writes without giving way to this process's other threads, and so to the pump, has this much room."""

_CHUNK_BYTES = 1 << 16
_CLOCK = frozenset({"created", "levelno", "lineno", "msecs", "process", "relativeCreated", "thread"})
"""Numbers of a log record by which Dagster's pages sort it."""


class RedactedComputeLogManager(LocalComputeLogManager):
    """Dagster's local compute logs, with a redactor between the step and the file."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Makes this class; the one that it inherits makes Dagster's own, which redacts nothing."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Captures both streams of this process until the block ends."""
        streams = ((sys.stdout, ComputeIOType.STDOUT), (sys.stderr, ComputeIOType.STDERR))
        try:
            with ExitStack() as stack:
                for stream, kind in streams:
                    path = self._file(log_key, kind)
                    stack.enter_context(_through_redactor(stream, path))
                yield CapturedLogContext(log_key)
        finally:
            Path(self.complete_artifact_path(log_key)).touch()  # type: ignore[no-untyped-call]  # Dagster does not annotate it

    @contextmanager
    def open_log_stream(self, log_key: Sequence[str], io_type: ComputeIOType) -> Iterator[IO[Any] | None]:
        """A stream for the log records of a sensor or schedule, one JSON object a line."""
        with self._file(log_key, io_type).open("a", encoding="utf-8") as file:
            yield _RedactedRecords(file)

    def _file(self, log_key: Sequence[str], kind: ComputeIOType) -> Path:
        path = Path(self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[kind]))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class _RedactedRecords(io.TextIOBase, IO[str]):
    """Takes whole lines, each a log record as JSON, whose texts are redacted and whose clock is kept."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        for line in text.splitlines():
            self._file.write(_redacted_record(line) + "\n")
        return len(text)

    def flush(self) -> None:
        self._file.flush()


def _redacted_record(line: str) -> str:
    redactor = standard_redactor()
    try:
        record = json.loads(line)
    except ValueError:
        return redactor.redact(line)
    if not isinstance(record, dict):
        return json.dumps(redactor.redact_value(record))
    return json.dumps({key: value if key in _CLOCK else redactor.redact_value(value) for key, value in record.items()})


@contextmanager
def _through_redactor(stream: TextIO, path: Path) -> Iterator[None]:
    """Sends what is written to the stream's descriptor, line by line, redacted, to the file and to where it went."""
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):
        # A stream without a descriptor (a test's) is captured by whoever replaced it.
        yield
        return
    _flush(stream)
    with os.fdopen(os.dup(descriptor), "wb", buffering=0) as before, path.open("ab", buffering=0) as file:
        reading, writing = os.pipe()
        with suppress(OSError):  # An unprivileged user may have no right to so large a pipe.
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        ending, end = os.pipe()
        failed: list[OSError] = []
        pump = threading.Thread(target=_pump, args=(reading, ending, [before, file], failed), daemon=True)
        pump.start()
        os.dup2(writing, descriptor)
        os.close(writing)
        try:
            yield
        finally:
            _flush(stream)
            os.dup2(before.fileno(), descriptor)
            # A process that the step has left behind may hold the pipe open for ever.
            os.close(end)
            pump.join()
        if failed:
            raise failed[0]


def _flush(stream: TextIO) -> None:
    """Everything that was written to the stream goes to its descriptor, also a line without its end."""
    if isinstance(stream, RedactedOutput):
        stream.finish_line()
    stream.flush()


def _pump(reading: int, ending: int, outputs: list[FileIO], failed: list[OSError]) -> None:
    """Copies until the pipe is closed or the step has ended. An output that fails is left out: no step stops on it."""
    lines = LineRedactor(standard_redactor().redact)
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    with os.fdopen(reading, "rb", buffering=0) as source, os.fdopen(ending, "rb", buffering=0) as stop:
        for chunk in _chunks(source, stop):
            _write(lines.feed(decode(chunk)), outputs, failed)
        _write(lines.feed(decode(b"", final=True)) + lines.finish(), outputs, failed)


def _chunks(source: FileIO, stop: FileIO) -> Iterator[bytes]:
    """What comes, and when the step has ended what the pipe still holds, whatever a child goes on to write."""
    left = _PIPE_BYTES
    while left > 0:
        ready, _, _ = select.select([source, stop], [], [])
        ended = stop in ready
        if ended and not select.select([source], [], [], 0)[0]:
            return
        if source in ready or ended:
            chunk = source.read(_CHUNK_BYTES)
            if not chunk:
                return
            left -= len(chunk) if ended else 0
            yield chunk


def _write(text: str, outputs: list[FileIO], failed: list[OSError]) -> None:
    content = text.encode("utf-8", errors="replace")
    for output in tuple(outputs) if content else ():
        try:
            _write_all(output, content)
        except OSError as error:
            failed.append(error)
            outputs.remove(output)


def _write_all(output: FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        select.select([], [output], [])
        rest = rest[output.write(rest) or 0 :]
