"""How a name in Devanagari is written in Latin letters without accents: "rajesh", "mina", "meena".

Belongs here: the letters. Must stay out: which names there are (lexicon).
"""

import unicodedata
from collections.abc import Iterator
from itertools import product

_DEVANAGARI = "कखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह"
_LATIN = "k kh g gh ch chh j jh t th d dh n t th d dh n p ph b bh m y r l v sh sh s h"
_CONSONANTS = dict(zip(_DEVANAGARI, _LATIN.split(), strict=True))
_VOWELS = {
    "अ": "a",
    "आ": "a",
    "इ": "i",
    "ई": "ī",
    "उ": "u",
    "ऊ": "ū",
    "ऋ": "ri",
    "ए": "e",
    "ऐ": "ai",
    "ओ": "o",
    "औ": "au",
}
_SIGNS = {"ा": "a", "ि": "i", "ी": "ī", "ु": "u", "ू": "ū", "ृ": "ri", "े": "e", "ै": "ai", "ो": "o", "ौ": "au"}
_NASAL, _VIRAMA, _NUKTA = "ंँ", "्", "़"
_WRITTEN = {"ī": ("i", "ee"), "ū": ("u", "oo")}
_INHERENT = "ə"


def romanised(word: str) -> Iterator[str]:
    """Every usual spelling of a Devanagari word; none for a word of another script or with other signs."""
    sounds: list[str] = []
    for sign in unicodedata.normalize("NFD", word):
        if sign in _CONSONANTS:
            sounds += [_CONSONANTS[sign], _INHERENT]
        elif sign in _SIGNS and sounds and sounds[-1] == _INHERENT:
            sounds[-1] = _SIGNS[sign]
        elif sign in _VOWELS:
            sounds.append(_VOWELS[sign])
        elif sign in _NASAL:
            sounds.append("n")
        elif sign == _VIRAMA and sounds and sounds[-1] == _INHERENT:
            sounds.pop()
        elif sign != _NUKTA:
            return
    if sounds and sounds[-1] == _INHERENT:
        # The last consonant of a word has no vowel of its own.
        sounds.pop()
    spellings = [_WRITTEN.get(sound, ("a",) if sound == _INHERENT else (sound,)) for sound in sounds]
    yield from dict.fromkeys(map("".join, product(*spellings)))
