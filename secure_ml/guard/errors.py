"""Describing an error without its message, which may hold a cell.

Belongs here: the descriptions that may be shown, logged and stored. Must stay out: the errors themselves.
"""

import traceback
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType

from secure_ml.guard.redaction import standard_redactor

_PACKAGE = Path(__file__).resolve().parents[1]
_OURS, _OF_A_PROJECT = f"{_PACKAGE.name}.", f"{_PACKAGE.name}.defs."
_MOST_CAUSES = 20
_MOST_FRAMES = 12


def describe(error: BaseException) -> str:
    """One line about the error that holds no value of a person.

    An error that this project defines says what to do, so its redacted text is kept. Of any other, whose text may quote
    a cell, only the class and the place in this project's code are told.

    Args:
        error: caught at a boundary; its traceback tells the place.
    """
    kind = type(error)
    if is_ours(kind):
        text = " ".join(standard_redactor().redact(str(error)).split())
        return f"{kind.__qualname__}: {text}" if text else kind.__qualname__
    place = _place(error)
    return f"{kind.__qualname__} at {place}" if place else kind.__qualname__


def is_ours(kind: type) -> bool:
    """Whether a class is one of this package, whose texts hold no cell; what lies in a project's folder is not."""
    return named_by_us(f"{kind.__module__}.{kind.__qualname__}")


def named_by_us(text: str) -> bool:
    """Whether a text begins with the full name of a class of this package, as a printed trace names an error."""
    return text.startswith(_OURS) and not text.startswith(_OF_A_PROJECT)


def trace(error: BaseException) -> str:
    """Where the error came from, through all its causes: files, lines and functions; of texts only those of `describe`.

    Args:
        error: any; neither its message nor its source lines, in which a value may stand, are shown.
    """
    return "\ncaused by\n".join(
        "\n".join((*_frames(cause.__traceback__), describe(cause))) for cause in islice(_causes(error), _MOST_CAUSES)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and the members of a group, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions
        before = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        if before is not None:
            waiting.append(before)


def _frames(trail: TracebackType | None) -> Iterator[str]:
    redact = standard_redactor().redact
    for frame, line in deque(traceback.walk_tb(trail), maxlen=_MOST_FRAMES):
        yield f'  File "{redact(_shortened(frame.f_code.co_filename))}", line {line}, in {frame.f_code.co_name}'


def _shortened(file: str) -> str:
    """The file as it is imported; below a folder of packages, the place of the installation says nothing."""
    path = Path(file)
    if path.is_relative_to(_PACKAGE):
        return path.relative_to(_PACKAGE.parent).as_posix()
    return file.rpartition("site-packages/")[2]


def _place(error: BaseException) -> str | None:
    """File and line of the innermost frame of this project, relative to the package's parent."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(_PACKAGE):
            return f"{file.relative_to(_PACKAGE.parent).as_posix()}:{line}"
    return None
