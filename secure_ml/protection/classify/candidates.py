"""Which texts of an array can hold a match of an expression of ``re``, said by RE2 for all of them at once.

RE2 knows no look-around, so it is asked a wider question: every text that holds a match is a candidate, and ``re``
decides among the candidates only.

Belongs here: the wider question, and cells whose text holds something for certain. Must stay out: any pattern.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.text import certain_among, certain_patterns

Booleans = npt.NDArray[np.bool_]

_LOOK_BEHIND = re.compile(r"\(\?<!\[([^\]\\^]+)\]\)")
_LOOK_AHEAD = re.compile(r"\(\?!\[([^\]\\^]+)\]\)$")
_LOOK_AROUND = re.compile(r"\(\?(?:=|!|<=|<!)")


def could_hold(texts: Any, expression: re.Pattern[str]) -> Booleans:
    """Say for each text whether ``expression.search`` may find something in it.

    Args:
        texts: ``pyarrow`` array of strings without nulls.
        expression: Any expression of ``re``.

    Returns:
        False only where there is no match. Texts beyond ASCII, where ``re`` and RE2 differ in what a letter, a space or
        a word is, are all candidates; and every text, where RE2 cannot read the expression.
    """
    wider = _wider(expression)
    if wider is None:
        return np.ones(len(texts), np.bool_)
    found = pc.or_(pc.match_substring_regex(texts, wider), pc.invert(pc.string_is_ascii(texts)))
    candidates: Booleans = found.to_numpy(zero_copy_only=False)
    return candidates


def certain_in(texts: Any) -> Mapping[Entity, Booleans]:
    """Say for each entity in which of the texts ``certain_entities`` finds it.

    Args:
        texts: ``pyarrow`` array of folded strings without nulls.

    Returns:
        A boolean for each text, by entity; only entities that were found.
    """
    patterns = certain_patterns()
    candidates = np.array([could_hold(texts, pattern.expression) for pattern in patterns])
    found: defaultdict[Entity, Booleans] = defaultdict(lambda: np.zeros(len(texts), np.bool_))
    positions = np.flatnonzero(candidates.any(axis=0))
    for position, text in zip(positions.tolist(), texts.take(positions).to_pylist(), strict=True):
        held = [patterns[index] for index in np.flatnonzero(candidates[:, position])]
        for entity in certain_among(held, text):
            found[entity][position] = True
    return dict(found)


@cache
def _wider(expression: re.Pattern[str]) -> str | None:
    text = _LOOK_AHEAD.sub(r"(?:$|[^\1])", expression.pattern)
    if behind := _LOOK_BEHIND.match(text):
        text = f"(?:^|[^{behind[1]}]){text[behind.end() :]}"
    while around := _LOOK_AROUND.search(text):
        text = text[: around.start()] + text[_end_of_group(text, around.start()) :]
    flags = "is" if expression.flags & re.DOTALL else "i"
    wider = f"(?{flags if expression.flags & re.IGNORECASE else flags[1:] or '-i'}){text}"
    try:
        pc.match_substring_regex(pa.array([""], pa.large_string()), wider)
    except pa.ArrowInvalid:
        return None
    return wider


def _end_of_group(text: str, start: int) -> int:
    depth, position, in_class = 0, start, False
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return position + 1
        position += 1
    return len(text)
