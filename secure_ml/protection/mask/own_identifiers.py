"""Finds in a text what the same row says of its person elsewhere: no detector knows that "Asha" is this client's name.

Belongs here: how each kind of identifier is looked for. Must stay out: identifiers of others (classify.text).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.cells import fold

_NUMBERS = {Entity.AADHAAR, Entity.PHONE, Entity.ACCOUNT_NUMBER, Entity.CARD}
_WORD = re.compile(r"[^\s\d.,;:!?'\"\u2019()/_-]+")
_TITLES = {"mrs", "miss", "shri", "smt", "sri", "kumari", "late", "prof", "and", "the"}
_SHORTEST_NUMBER = 6
_SHORTEST_WORD = 3
_SHORTEST_PHRASE = 4
_PHONE_DIGITS = 10
_BETWEEN_DIGITS = frozenset(" .-/()")

Position = tuple[int, int]


@dataclass(frozen=True)
class SearchedText:
    """A text made ready to be searched; positions are those of the text itself."""

    text: str

    @cached_property
    def folded(self) -> str:
        """Lower-case, with ASCII digits, as long as the text."""
        folded = fold(self.text)
        lowered = folded.lower()
        # A few letters ("İ") become two in lower case; they would shift every position after them.
        return lowered if len(lowered) == len(folded) else "".join(c.lower()[:1] for c in folded)

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words."""
        return frozenset(_WORD.findall(self.folded))

    @cached_property
    def digit_places(self) -> tuple[int, ...]:
        """Where its digits are."""
        return tuple(match.start() for match in re.finditer("[0-9]", self.folded))

    @cached_property
    def digits(self) -> str:
        """Its digits without all else."""
        return "".join(self.folded[place] for place in self.digit_places)

    def find(self, value: str, entity: Entity) -> Iterator[Position]:
        """Every place where `value` stands, however it is grouped or capitalised.

        Args:
            value: a cell of the same row, trimmed.
            entity: what the cell is.
        """
        if entity is Entity.PERSON_NAME:
            yield from self._phrase(value)
            for word in _WORD.findall(SearchedText(value).folded):
                if len(word) >= _SHORTEST_WORD and word in self.words and word not in _TITLES:
                    yield from self._phrase(word, shortest=_SHORTEST_WORD)
        elif entity in _NUMBERS:
            yield from self._number(value, entity)
            yield from self._phrase(value)
        elif entity is Entity.POSTAL_ADDRESS:
            for part in (value, *re.split(r"[,;\n]", value)):
                yield from self._phrase(part.strip())
        else:
            yield from self._phrase(value)

    def _phrase(self, phrase: str, *, shortest: int = _SHORTEST_PHRASE) -> Iterator[Position]:
        wanted = SearchedText(phrase).folded
        if len(wanted) < shortest:
            return
        start = self.folded.find(wanted)
        while start >= 0:
            end = start + len(wanted)
            if not self.folded[start - 1 : start].isalnum() and not self.folded[end : end + 1].isalnum():
                yield start, end
            start = self.folded.find(wanted, start + 1)

    def _number(self, value: str, entity: Entity) -> Iterator[Position]:
        wanted = re.sub(r"[^0-9]", "", fold(value))
        if entity is Entity.PHONE:
            wanted = wanted[-_PHONE_DIGITS:]
        if len(wanted) < _SHORTEST_NUMBER:
            return
        index = self.digits.find(wanted)
        while index >= 0:
            places = self.digit_places[index : index + len(wanted)]
            if _BETWEEN_DIGITS.issuperset(c for c in self.folded[places[0] : places[-1]] if not c.isdigit()):
                yield places[0], places[-1] + 1
            index = self.digits.find(wanted, index + 1)
