"""Speaking to the command line as a terminal does: arguments and environment in, two streams and an exit code out."""

import contextlib
import io
import json
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from secure_ml.cli.main import main

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "PYTEST_CURRENT_TEST")


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON; fails on anything before or after it."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Terminal:
    """A terminal of 80 columns whose environment names one installation."""

    home: Path
    keys: Path

    def __call__(self, *arguments: str) -> Said:
        """Runs `secure-ml` with these arguments in this process, through its own error boundary."""
        environ = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environ |= {"SECURE_ML_HOME": str(self.home), "SECURE_ML_KEYS": str(self.keys), "COLUMNS": "80"}
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, environ, clear=True),
            patch.object(sys, "argv", ["secure-ml", *arguments]),
            # Dagster closes every logging handler, and absl's then closes its stream unless it is one of the process's
            # own. That stream is pytest's when absl was first imported by a test.
            patch.object(sys, "__stdout__", sys.stdout),
            patch.object(sys, "__stderr__", sys.stderr),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            warnings.catch_warnings(),
        ):
            code = _exit_code()
        return Said(code, out.getvalue(), err.getvalue())


def _exit_code() -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
