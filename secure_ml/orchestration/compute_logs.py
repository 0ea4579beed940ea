"""Compute logs: what a step prints, redacted before it reaches a file or a terminal.

Belongs here: the pipe between a step's stdout and stderr and their files. Must stay out: the rules of redaction.
"""

import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Self, TextIO

from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClassData

from secure_ml.guard.redaction import Redactor


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
        with ExitStack() as stack:
            for stream, kind in streams:
                path = Path(self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[kind]))
                path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(_through_redactor(stream, path))
            yield CapturedLogContext(log_key)
        Path(self.complete_artifact_path(log_key)).touch()  # type: ignore[no-untyped-call]  # Dagster does not annotate it


@contextmanager
def _through_redactor(stream: TextIO, path: Path) -> Iterator[None]:
    """Sends what is written to the stream's descriptor, line by line, redacted, to the file and to where it went."""
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):
        # A stream without a descriptor (a test's) is captured by whoever replaced it.
        yield
        return
    stream.flush()
    with os.fdopen(os.dup(descriptor), "wb", buffering=0) as before, path.open("ab", buffering=0) as file:
        reading, writing = os.pipe()
        failed: list[OSError] = []
        pump = threading.Thread(target=_pump, args=(reading, [before, file], failed), daemon=True)
        pump.start()
        os.dup2(writing, descriptor)
        os.close(writing)
        try:
            yield
        finally:
            stream.flush()
            os.dup2(before.fileno(), descriptor)
            pump.join()
        if failed:
            raise failed[0]


def _pump(reading: int, outputs: list[FileIO], failed: list[OSError]) -> None:
    """Copies until the pipe's other end is closed. An output that fails is left out: the step must not stop on it."""
    redact = Redactor().redact
    with os.fdopen(reading, "rb") as source:
        for line in source:
            clean = redact(line.decode("utf-8", errors="replace")).encode()
            for output in tuple(outputs):
                try:
                    output.write(clean)
                except OSError as error:
                    failed.append(error)
                    outputs.remove(output)
