"""A text cut into words, with what each word can be and how it stands to the one before it.

Belongs here: words, gaps, capitals. Must stay out: what a row of words means (names, addresses).
"""

import re

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.lexicon import (
    BITS,
    COMMON,
    INTRODUCES,
    NAME,
    PLACE_STARTS,
    STREET,
    STREET_FIRST,
    TITLE,
    UNIT,
    WHERE,
    Lexicon,
    key_of,
    lexicon,
)
from secure_ml.protection.classify.span import Span

NUMBER, CAPITAL, CASELESS, JOINED, STARTS, POSSESSIVE, TAKEN = (1 << BITS + place for place in range(7))
"""What a word is in its text: a number or a code; capitalised; of a script without capitals; the continuation of the
word before; the first of a sentence or a line; followed by an apostrophe and an s; part of a span already found."""

_WORD = re.compile(
    r"[0-9]+(?:[-/][0-9]+){0,8}[A-Za-z]?(?![^\W_])|[^\W_][^\s!-&(-,./:-@\[-`{-~\u2018-\u201f\u00ab\u00bb\u2026]*"
)
_DIGIT = re.compile("[0-9]")
_GAP = re.compile(r"[ \u00a0]{1,3}|-")
_ABBREVIATED = re.compile(r"\. ?")
_SENTENCE = re.compile(r"[.!?:\n\"\u201c\u2022*>]")
_ENGLISH_ENDING = re.compile(
    r"(?:ed|ing|ly|ment|tion|sion|ness|able|ible|ful|ous|ive|er|est|ance|ence|ity|ies|ues?|less|'.*)$"
)
_SHORTEST_STRANGE = 5
_LONGEST_GAP = 64


class Reading:
    """The words of one text, by position.

    Attributes:
        text: the folded text.
        size: how many words it has.
        flags: for each word the bits of the lexicon and of this module.
        keys: each word as it is looked up.
        cased: whether its capitals tell anything: not where there are none, nor where there is nothing else.
    """

    __slots__ = ("_ends", "_starts", "_stops", "cased", "flags", "keys", "lexicon", "size", "text")

    def __init__(self, text: str, words: Lexicon | None = None) -> None:
        self.text = text
        self.lexicon = words or lexicon()
        self.cased = text != text.lower() and text != text.upper()
        self.keys: list[str] = []
        self.flags: list[int] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._stops: list[int] = []
        self._cut()
        self.size = len(self.keys)

    def _cut(self) -> None:
        text, known, before, earlier = self.text, self.lexicon.words, 0, 0
        for match in _WORD.finditer(text):
            start, stop = match.span()
            word, end = match.group(), stop
            if word[0] <= "9" or (not word.isalpha() and _DIGIT.search(word)):
                key, flags = word, NUMBER
            else:
                flags = CAPITAL if word[0].isupper() else 0 if word[0].islower() else CASELESS
                if word[-1] in "'\u2019s" and (ending := _possessive(word)):
                    end -= ending
                    word = word[:-ending]
                    flags |= POSSESSIVE
                key = key_of(word)
                flags |= known.get(key, 0) or (self._hyphenated(key) if "-" in key else 0)
            gap = text[before:start] if start - before < _LONGEST_GAP else "\n"
            if gap == " ":
                flags |= JOINED if before else 0
            elif not before or _SENTENCE.search(gap):
                flags |= STARTS | (JOINED if before and _ABBREVIATED.fullmatch(gap) and _is_short(earlier) else 0)
            elif _GAP.fullmatch(gap):
                flags |= JOINED
            self.keys.append(key)
            self.flags.append(flags)
            self._starts.append(start)
            self._ends.append(end)
            self._stops.append(stop)
            before = stop
            earlier = flags | (_ONE_LETTER if end - start == 1 else 0)

    def _hyphenated(self, key: str) -> int:
        """A word of two names is a name."""
        parts = [self.lexicon.words.get(part, 0) for part in key.split("-")]
        return parts[0] & NAME if all(part & NAME and not part & COMMON for part in parts) else 0

    def gap(self, index: int) -> str:
        """What stands between a word and the one before it, the last few characters of it."""
        before = self._stops[index - 1] if index else 0
        return self.text[max(before, self._starts[index] - 12) : self._starts[index]]

    def joined(self, index: int) -> bool:
        """Whether a word exists and continues the one before it."""
        return index < self.size and bool(self.flags[index] & JOINED)

    def has(self, index: int, kinds: int) -> bool:
        """Whether a word continues the one before it and can be one of these kinds."""
        return index < self.size and bool(self.flags[index] & JOINED and self.flags[index] & kinds)

    def before(self, index: int) -> int:
        """The bits of the word that this one continues; 0 where none is."""
        return self.flags[index - 1] if index and self.flags[index] & JOINED else 0

    def after(self, index: int) -> int:
        """The bits of the word that continues this one; 0 where none does."""
        return self.flags[index + 1] if self.joined(index + 1) else 0

    def tells(self, index: int) -> bool:
        """Whether a word's having a capital or not says something of it."""
        return self.cased and not self.flags[index] & CASELESS

    def proper(self, index: int) -> bool:
        """Whether a word may be part of a proper name: capitalised where that tells, else no word of the language."""
        flags = self.flags[index]
        if self.tells(index):
            return bool(flags & CAPITAL)
        return not flags & (COMMON | WHERE | INTRODUCES | NUMBER)

    def marked(self, index: int) -> bool:
        """Whether a word is capitalised, or its capitals tell nothing."""
        return bool(self.flags[index] & CAPITAL) or not self.tells(index)

    def all_capitals(self, index: int) -> bool:
        """Whether a word is an abbreviation or shouted."""
        return self.text[self._starts[index] : self._ends[index]].isupper()

    def strange(self, index: int) -> bool:
        """Whether a word is hardly an English one: of some length, and without the endings that English words have."""
        return self.length(index) >= _SHORTEST_STRANGE and not _ENGLISH_ENDING.search(self.keys[index])

    def length(self, index: int) -> int:
        """Characters of a word."""
        return self._ends[index] - self._starts[index]

    def free(self, index: int) -> bool:
        """Whether a word exists and belongs to no span yet."""
        return index < self.size and not self.flags[index] & TAKEN

    def place_of_several_words(self, index: int) -> int | None:
        """Last word of a place of the dictionary that starts here and has several words."""
        if self.flags[index] & PLACE_STARTS and self.marked(index):
            for keys in self.lexicon.places[self.keys[index]]:
                if self.keys[index : index + len(keys)] == list(keys):
                    return index + len(keys) - 1
        return None

    def take(self, entity: Entity, first: int, last: int, score: float) -> Span:
        """The span from one word to another, which then belong to it."""
        for index in range(first, last + 1):
            self.flags[index] |= TAKEN
        return Span(entity=entity, start=self._starts[first], end=self._ends[last], score=score)


_ONE_LETTER = TAKEN << 1
_SHORT_FORMS = TITLE | STREET | STREET_FIRST | UNIT


def _possessive(word: str) -> int:
    """Characters of a closing apostrophe with or without an s."""
    if word[-1] in "'\u2019":
        return 1
    return 2 if word[-2:-1] in ("'", "\u2019") else 0


def _is_short(earlier: int) -> bool:
    """Whether a full stop after the earlier word ends no sentence: an initial, "Mr.", "St."."""
    return bool(earlier & (_ONE_LETTER | _SHORT_FORMS)) and not earlier & NUMBER
