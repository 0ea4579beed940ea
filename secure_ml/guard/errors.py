"""Describing an error without its message, which may hold a cell.

Belongs here: the one description that may be shown, logged and stored. Must stay out: the errors themselves.
"""

import traceback
from functools import cache
from pathlib import Path

from secure_ml.guard.redaction import Redactor

_PACKAGE = Path(__file__).resolve().parents[1]


def describe(error: BaseException) -> str:
    """One line about the error that holds no value of a person.

    An error that this project defines says what to do, so its redacted text is kept. Of any other, whose text may quote
    a cell, only the class and the place in this project's code are told.

    Args:
        error: caught at a boundary; its traceback tells the place.
    """
    kind = type(error)
    if kind.__module__.partition(".")[0] == _PACKAGE.name:
        text = " ".join(_redactor().redact(str(error)).split())
        return f"{kind.__qualname__}: {text}" if text else kind.__qualname__
    place = _place(error)
    return f"{kind.__qualname__} at {place}" if place else kind.__qualname__


def _place(error: BaseException) -> str | None:
    """File and line of the innermost frame of this project, relative to the package's parent."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(_PACKAGE):
            return f"{file.relative_to(_PACKAGE.parent).as_posix()}:{line}"
    return None


@cache
def _redactor() -> Redactor:
    return Redactor()
