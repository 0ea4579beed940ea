"""Finds in a text what the same row says of its person elsewhere: no detector knows that "Asha" is this client's name.

Belongs here: how each kind of identifier is looked for. Must stay out: identifiers of others (classify.text).
"""

import re
from collections.abc import Iterator

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.cells import fold

_NUMBERS = {Entity.AADHAAR, Entity.PHONE, Entity.ACCOUNT_NUMBER, Entity.CARD}
_WORD = re.compile(r"[^\s\d.,;:!?'\"\u2019()/_-]+")
_DIGIT, _NO_DIGIT = re.compile("[0-9]"), re.compile("[^0-9]")
_PARTS = re.compile(r"[,;\n]")
_TITLES = {"mrs", "miss", "shri", "smt", "sri", "kumari", "late", "prof", "and", "the"}
_SHORTEST_NUMBER = 6
_SHORTEST_WORD = 3
_SHORTEST_PHRASE = 4
_PHONE_DIGITS = 10
_BETWEEN_DIGITS = frozenset(" .-/()\n\r\u200c\u200d")

Position = tuple[int, int]


class SearchedText:
    """A text made ready to be searched many times; positions are those of the text itself."""

    __slots__ = ("_digit_places", "_digits", "_lowered", "_words")

    def __init__(self, text: str) -> None:
        self._lowered = _lowered(text)
        self._words = frozenset(_WORD.findall(self._lowered))
        self._digit_places = [match.start() for match in _DIGIT.finditer(self._lowered)]
        self._digits = "".join([self._lowered[place] for place in self._digit_places])

    def find(self, value: str, entity: Entity) -> Iterator[Position]:
        """Every place where `value` stands, however it is grouped or capitalised.

        Args:
            value: a cell of the same row, trimmed.
            entity: what the cell is.
        """
        if entity is Entity.PERSON_NAME:
            yield from self._phrase(value)
            for word in _WORD.findall(_lowered(value)):
                if word in self._words and len(word) >= _SHORTEST_WORD and word not in _TITLES:
                    yield from self._phrase(word, shortest=_SHORTEST_WORD)
        elif entity in _NUMBERS:
            yield from self._number(value, entity)
            yield from self._phrase(value)
        elif entity is Entity.POSTAL_ADDRESS:
            for part in (value, *_PARTS.split(value)):
                yield from self._phrase(part.strip())
        else:
            yield from self._phrase(value)

    def _phrase(self, phrase: str, *, shortest: int = _SHORTEST_PHRASE) -> Iterator[Position]:
        wanted = _lowered(phrase)
        if len(wanted) < shortest:
            return
        start = self._lowered.find(wanted)
        while start >= 0:
            end = start + len(wanted)
            if not self._lowered[start - 1 : start].isalnum() and not self._lowered[end : end + 1].isalnum():
                yield start, end
            start = self._lowered.find(wanted, start + 1)

    def _number(self, value: str, entity: Entity) -> Iterator[Position]:
        if len(self._digits) < _SHORTEST_NUMBER:
            return
        wanted = _NO_DIGIT.sub("", fold(value))
        if entity is Entity.PHONE:
            wanted = wanted[-_PHONE_DIGITS:]
        if len(wanted) < _SHORTEST_NUMBER:
            return
        index = self._digits.find(wanted)
        while index >= 0:
            places = self._digit_places[index : index + len(wanted)]
            if _BETWEEN_DIGITS.issuperset(c for c in self._lowered[places[0] : places[-1]] if not c.isdigit()):
                yield places[0], places[-1] + 1
            index = self._digits.find(wanted, index + 1)


def _lowered(text: str) -> str:
    """Lower-case, with ASCII digits, as long as the text."""
    folded = fold(text)
    lowered = folded.lower()
    # A few letters become two in lower case; they would shift every position after them.
    return lowered if len(lowered) == len(folded) else "".join([c.lower()[:1] for c in folded])
