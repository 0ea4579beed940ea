"""An expression of ``re`` asked of a whole Arrow array at once: by RE2 where the two agree, by ``re`` elsewhere.

They agree on ASCII, except that only ``re`` counts the vertical tab and the four separators as white space: such an
expression names the characters instead of writing ``\\s``.

Belongs here: the two ways of asking. Must stay out: any expression.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Booleans = npt.NDArray[np.bool_]


def whole(expression: re.Pattern[str]) -> Callable[[Any], Booleans]:
    """Make a check of arrays: whether ``expression.fullmatch`` matches each string.

    Args:
        expression: Without look-around and references to groups.
    """
    return lambda values: _ask(values, rf"{_flags(expression)}^(?:{expression.pattern})$", expression.fullmatch)


def within(expression: re.Pattern[str]) -> Callable[[Any], Booleans]:
    """Make a check of arrays: whether ``expression.search`` finds something in each string.

    Args:
        expression: Without look-around and references to groups.
    """
    return lambda values: _ask(values, f"{_flags(expression)}{expression.pattern}", expression.search)


def passing(values: Any, candidates: Booleans, check: Callable[[str], bool]) -> Booleans:
    """Run ``check`` over the candidates only; the others do not pass."""
    valid = candidates.copy()
    valid[candidates] = [check(value) for value in values.filter(pa.array(candidates)).to_pylist()]
    return valid


def _ask(values: Any, re2: str, ask: Callable[[str], object]) -> Booleans:
    found: Booleans = pc.match_substring_regex(values, re2).to_numpy(zero_copy_only=False)
    ascii_only = pc.string_is_ascii(values)
    if pc.all(ascii_only, min_count=0).as_py():
        return found
    foreign = pc.invert(ascii_only)
    found = found.copy()
    found[foreign.to_numpy(zero_copy_only=False)] = [bool(ask(value)) for value in values.filter(foreign).to_pylist()]
    return found


def _flags(expression: re.Pattern[str]) -> str:
    letters = ("i" if expression.flags & re.IGNORECASE else "") + ("s" if expression.flags & re.DOTALL else "")
    return f"(?{letters})" if letters else ""
