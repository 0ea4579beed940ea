"""Names of columns that no policy declares: a header may hold a cell, so only what programs would write is kept.

Belongs here: which names may be stored and shown. Must stay out: the table (vault).

A delivery without a header gives its first row for one, and a wide table has a column for each person. What a policy
declares was read by a steward; of any other column the name goes into manifests, findings, check results and Dagster's
pages, in clear.
"""

import re
from collections.abc import Collection, Sequence

from secure_ml.guard.redaction import standard_redactor

_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]{0,30}(?:_[a-z0-9]{1,30}){0,6}|[A-Z][A-Z0-9]{0,30}(?:_[A-Z0-9]{1,30}){1,6}")
_DIGITS = re.compile(r"\d{5}")
_STAND_IN = "undeclared_column_"
_LISTED = 20
_NUMBERED = re.compile(_STAND_IN + r"[1-9]\d{0,4}_*")


def shown_names(names: Sequence[str], declared: Collection[str]) -> tuple[str, ...]:
    """The names under which columns are stored and spoken of, in the same order.

    Args:
        names: of the source's columns.
        declared: those that the policy declares; they stay. So does another in snake_case without a long number; any
            other is replaced by its position, from 1.
    """
    taken, shown = {*names, *declared}, []
    for position, name in enumerate(names, 1):
        if name in declared or _is_a_name(name):
            shown.append(name)
            continue
        stand_in = f"{_STAND_IN}{position}"
        while stand_in in taken:
            stand_in += "_"
        shown.append(stand_in)
    return tuple(shown)


def may_be_shown(name: str, declared: Collection[str]) -> bool:
    """Whether `shown_names` can have given this name to a column; see there."""
    return name in declared or _is_a_name(name) or _NUMBERED.fullmatch(name) is not None


def listed(names: Sequence[str]) -> str:
    """Names in words, the first twenty of many."""
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def is_stand_in(name: str) -> bool:
    """Whether a name stands in for one that is not shown."""
    return name.startswith(_STAND_IN)


def _is_a_name(name: str) -> bool:
    if _SNAKE_CASE.fullmatch(name) is None or _DIGITS.search(name) or name.startswith(_STAND_IN):
        return False
    return standard_redactor().redact(name) == name
