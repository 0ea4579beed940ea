"""Which texts of an array can hold a match of an expression of ``re``, said by RE2 for all of them at once.

RE2 knows no look-around, so it is asked a wider question: every text that holds a match is a candidate, and ``re``
decides among the candidates only.

Belongs here: the wider question, and cells whose text holds something for certain. Must stay out: any pattern.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.makeup import Makeup, bounds_of
from secure_ml.protection.classify.text import CERTAIN, TextPattern, certain_among, certain_patterns

Booleans = npt.NDArray[np.bool_]

_LOOK_BEHIND = re.compile(r"\(\?<!\[([^\]\\^]+)\]\)")
_LOOK_AHEAD = re.compile(r"\(\?!\[([^\]\\^]+)\]\)$")
_LONG_REPEAT = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")
_LOOK_AROUND = re.compile(r"\(\?(?:=|!|<=|<!)")
_COUNTED = 10
"""Repetitions up to which RE2 is asked to count."""


def could_hold(texts: Any, expression: re.Pattern[str]) -> Booleans:
    """Say for each text whether ``expression.search`` may find something in it.

    Args:
        texts: ``pyarrow`` array of strings without nulls.
        expression: Any expression of ``re``.

    Returns:
        False only where there is no match. Texts beyond ASCII, where ``re`` and RE2 differ in what a letter, a space or
        a word is, are all candidates; and every text, where RE2 cannot read the expression.
    """
    candidates = np.ones(len(texts), np.bool_)
    for wider in _wider(expression):
        candidates &= pc.match_substring_regex(texts, wider).to_numpy(zero_copy_only=False)
    foreign: Booleans = pc.invert(pc.string_is_ascii(texts)).to_numpy(zero_copy_only=False)
    return candidates | foreign


@dataclass(frozen=True)
class CertainTexts:
    """Texts that hold something for certain.

    Attributes:
        found: By entity, in which of the texts ``certain_entities`` finds it; only entities that were found.
        shaped: In which texts something has the shape and the check was asked; every entity of which some text has it.
    """

    found: Mapping[Entity, Booleans]
    shaped: Mapping[Entity, Booleans]


def certain_in(texts: Any, makeup: Makeup) -> CertainTexts:
    """Say for each entity in which of the texts it stands for certain.

    Args:
        texts: ``pyarrow`` array of folded strings without nulls.
        makeup: What they are made of.
    """
    patterns = certain_patterns()
    held = [_holding(texts, makeup, pattern) for pattern in patterns]
    candidates = np.array([_certain(texts, mask, pattern) for mask, pattern in zip(held, patterns, strict=True)])
    found: defaultdict[Entity, Booleans] = defaultdict(lambda: np.zeros(len(texts), np.bool_))
    positions = np.flatnonzero(candidates.any(axis=0))
    for position, text in zip(positions.tolist(), texts.take(pa.array(positions)).to_pylist(), strict=True):
        asked = [patterns[index] for index in np.flatnonzero(candidates[:, position])]
        for entity in certain_among(asked, text):
            found[entity][position] = True
    plain = pc.string_is_ascii(texts).to_numpy(zero_copy_only=False)
    # RE2 does not look into texts beyond ASCII: of those only what was found is known to have the shape.
    shaped = {}
    for mask, pattern in zip(held, patterns, strict=True):
        entity = pattern.detector.entity
        if entity in found or (mask & plain).any():
            shaped[entity] = (mask & plain) | found.get(entity, False)
    return CertainTexts(dict(found), shaped)


def _holding(texts: Any, makeup: Makeup, pattern: TextPattern) -> Booleans:
    candidates = bounds_of(pattern.expression.pattern).admit_within(makeup)
    if candidates.any():
        candidates[candidates] = could_hold(texts.filter(pa.array(candidates)), pattern.expression)
    return candidates


def _certain(texts: Any, held: Booleans, pattern: TextPattern) -> Booleans:
    candidates = held.copy()
    if pattern.form.score < CERTAIN and candidates.any():
        # A match is certain by the detector's check, or by a word before it.
        backed = _could_be_backed(texts.filter(pa.array(candidates)), pattern, by_check=pattern.is_certain_if_valid)
        candidates[candidates] = backed
    return candidates


def could_find(texts: Any, pattern: TextPattern) -> Booleans:
    """Say for each text whether ``pattern`` may find a span in it; False only where it finds none.

    Args:
        texts: ``pyarrow`` array of strings without nulls.
        pattern: Where a match by itself scores nothing, its check or a word before it must have its say.
    """
    candidates = could_hold(texts, pattern.expression)
    if pattern.form.score == 0 and candidates.any():
        by_check = pattern.detector.validates and not pattern.detector.needs_context
        candidates[candidates] = _could_be_backed(texts.filter(pa.array(candidates)), pattern, by_check=by_check)
    return candidates


def _could_be_backed(texts: Any, pattern: TextPattern, *, by_check: bool) -> Booleans:
    backed = np.full(len(texts), by_check)
    if by_check and pattern.form.possible is not None:
        backed = could_hold(texts, re.compile(pattern.form.possible, pattern.expression.flags))
    if pattern.form.before:
        backed |= could_hold(texts, _any_word(pattern.form.before))
    return backed


@cache
def _any_word(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])(?:{'|'.join(map(re.escape, words))})(?![a-z])", re.IGNORECASE)


@cache
def _wider(expression: re.Pattern[str]) -> tuple[str, ...]:
    """Expressions of RE2 which every text with a match matches too; none, where RE2 can read none of them."""
    text, end = _LONG_REPEAT.sub(_at_least, expression.pattern), ""
    if ahead := _LOOK_AHEAD.search(text):
        text, end = text[: ahead.start()], f"(?:$|[^{ahead[1]}])"
    if behind := _LOOK_BEHIND.match(text):
        text = f"(?:^|[^{behind[1]}]){text[behind.end() :]}"
    letters = ("i" if expression.flags & re.IGNORECASE else "") + ("s" if expression.flags & re.DOTALL else "")
    flags = f"(?{letters})" if letters else ""
    both = dict.fromkeys((_without_look_around(text), _without_look_around(_seen_ahead(text))))
    return tuple(wider for part in both if _is_read_by_re2(wider := f"{flags}{part}{end}"))


def _at_least(repeat: re.Match[str]) -> str:
    # RE2 writes a counted repetition out: some hundred characters cost ten times the search for the first few.
    least, most = int(repeat[1]), int(repeat[2] or repeat[1])
    if most <= _COUNTED:
        return repeat[0]
    return f"{{{min(least, _COUNTED)},}}"


def _without_look_around(text: str) -> str:
    while around := _LOOK_AROUND.search(text):
        text = text[: around.start()] + text[_end_of_part(text, around.start(), alternatives=False) :]
    return text


def _seen_ahead(text: str) -> str:
    """With what a look-ahead sees in place of what follows it and ends there: ``(?=a)b|c`` becomes ``a.*|c``."""
    start = text.find("(?=")
    if start < 0:
        return text
    end = _end_of_part(text, start, alternatives=False)
    branch_end = _end_of_part(text, end, alternatives=True)
    if not _ends(text, branch_end):
        return text
    return f"{text[:start]}(?:{text[start + len('(?=') : end - 1]})(?s:.*){text[branch_end:]}"


def _ends(text: str, position: int) -> bool:
    """Whether nothing but other branches and the ends of groups comes after the end of a branch."""
    while position < len(text):
        if text[position] == "|":
            position = _end_of_part(text, position + 1, alternatives=True)
        elif text[position] == ")":
            position += 1
        else:
            return False
    return True


def _end_of_part(text: str, start: int, *, alternatives: bool) -> int:
    """Where the group that begins at ``start`` ends, or with ``alternatives`` the branch that goes on there."""
    depth, position = 0, start
    while position < len(text):
        character = text[position]
        if alternatives and depth == 0 and character in "|)":
            return position
        if character == "\\":
            position += 1
        elif character == "[":
            position = _end_of_class(text, position)
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0 and not alternatives:
                return position + 1
        position += 1
    return len(text)


def _end_of_class(text: str, start: int) -> int:
    # A bracket that stands first in a class is one of its characters.
    first = start + (2 if text[start + 1 : start + 2] == "^" else 1)
    end = re.compile(r"\]?(?:\\.|[^\]\\])*", re.DOTALL).match(text, first)
    return end.end() if end else len(text)


def _is_read_by_re2(expression: str) -> bool:
    try:
        pc.match_substring_regex(pa.array([""], pa.large_string()), expression)
    except pa.ArrowInvalid:
        return False
    return True
