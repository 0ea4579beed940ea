"""Finds telephone numbers of six or seven digits, which look like any number, where the text announces one.

Belongs here: what announces a number. Must stay out: longer numbers, which have a form (detectors).
"""

from collections.abc import Iterator

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.lexicon import word_set
from secure_ml.protection.classify.reading import NUMBER, Reading
from secure_ml.protection.classify.span import Span

SCORE = 0.75

_ANNOUNCES = word_set("answering call calling cell dial fax landline mob mobile phone ring tel telephone whatsapp")
_BETWEEN = word_set("at back her him is me my no now number on our the them to us your")
_GAPS = frozenset({" ", "-", ".", "/"})
_FEWEST, _MOST = 6, 7
_FURTHEST = 4


def short_phones(reading: Reading) -> Iterator[Span]:
    """Find announced numbers and take their words."""
    for index in range(1, reading.size):
        if not reading.flags[index] & NUMBER or not reading.free(index) or not _announced(reading, index):
            continue
        last, digits = index, _digits(reading, index)
        while digits < _MOST and last + 1 < reading.size and reading.flags[last + 1] & NUMBER:
            if reading.gap(last + 1) not in _GAPS:
                break
            last += 1
            digits += _digits(reading, last)
        if _FEWEST <= digits <= _MOST:
            yield reading.take(Entity.PHONE, index, last, SCORE)


def _announced(reading: Reading, index: int) -> bool:
    for before in range(index - 1, max(-1, index - 1 - _FURTHEST), -1):
        if reading.keys[before] in _ANNOUNCES:
            return True
        if reading.keys[before] not in _BETWEEN:
            return False
    return False


def _digits(reading: Reading, index: int) -> int:
    return sum(character.isdigit() for character in reading.keys[index])
