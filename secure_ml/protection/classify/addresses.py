"""Finds postal addresses in a text: a street, a unit or a house number, and the parts that follow it.

Belongs here: forms of streets and the order of an address. Must stay out: names of people and places (names).
"""

import re
from collections.abc import Iterator

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.lexicon import COMMON, NAME, PLACE, STREET, STREET_FIRST, UNIT, WHERE
from secure_ml.protection.classify.reading import CAPITAL, NUMBER, Reading
from secure_ml.protection.classify.span import Span

SCORE = 0.75

_MILITARY = frozenset({"apo", "dpo", "fpo"})
_OTHER_SIGNS = _MILITARY | {"p", "h"}
_PART = re.compile(r"[ ]*(?:[,;\n][ \n]*){1,3}(?:[?*>-]{1,3} )?")
_BEFORE_NUMBER = re.compile(r"\.?[ ,]{1,2}")
_LONGEST_STREET = 5
_LONGEST_PART = 6
_MOST_PARTS = 6
_SHORTEST_GLUED = 7
_INDIAN_CODE = 6
_SIGNS = NUMBER | UNIT | STREET | STREET_FIRST


def addresses(reading: Reading) -> Iterator[Span]:
    """Find addresses and take their words."""
    index = 0
    while index < reading.size:
        found = _sign(reading, index)
        if found is None:
            index += 1
            continue
        last = _end(reading, found[1])
        yield reading.take(Entity.POSTAL_ADDRESS, found[0], last, SCORE)
        index = last + 1


def _sign(reading: Reading, index: int) -> tuple[int, int] | None:
    """First and last word of what shows that an address stands here."""
    flags, key = reading.flags[index], reading.keys[index]
    if flags & NUMBER:
        return _numbered_street(reading, index)
    if not flags & _SIGNS and not key.endswith(reading.lexicon.glued) and key not in _OTHER_SIGNS:
        return None
    is_house = key == "h" and reading.keys[index + 1 : index + 2] == ["no"]
    if (flags & UNIT or is_house) and (number := _unit_number(reading, index)) is not None:
        return index, number
    if key == "p" and reading.keys[index + 1 : index + 3] == ["o", "box"] and reading.has(index + 3, NUMBER):
        return _with_number_before(reading, index), index + 3
    if key in _MILITARY and reading.joined(index + 1) and reading.has(index + 2, NUMBER):
        return index, index + 2
    return _street(reading, index)


def _unit_number(reading: Reading, index: int) -> int | None:
    number = index + 2 if reading.keys[index + 1 : index + 2] == ["no"] else index + 1
    near = number < reading.size and len(reading.gap(number)) <= 3
    return number if near and reading.flags[number] & NUMBER else None


def _street(reading: Reading, index: int) -> tuple[int, int] | None:
    named = _run(reading, index + 1) if reading.flags[index] & STREET_FIRST else index
    if named > index and (reading.marked(index) or reading.flags[named] & CAPITAL):
        end = _number_after(reading, named)
        certain = reading.cased and not reading.flags[index] & COMMON
        if certain or reading.flags[end] & NUMBER:
            return _with_number_before(reading, index), end
    if _ends_street(reading, index) and (reading.marked(index) or reading.before(index) & NUMBER):
        first, end = _street_start(reading, index), _number_after(reading, index)
        if end > index or (first < index and (reading.cased or reading.flags[first] & NUMBER)):
            return first, end
    return None


def _numbered_street(reading: Reading, first: int) -> tuple[int, int] | None:
    """A house number (or two) before a name: "12 Lake Road", "79 291 Lake", "58 Seeweg 140"."""
    index = first + 1 if reading.has(first + 1, NUMBER) else first
    end = _run(reading, index + 1)
    if end == index or all(reading.flags[i] & COMMON for i in range(index + 1, end + 1)):
        return None
    street = next((i for i in range(end, index, -1) if _ends_street(reading, i)), None)
    if street is not None and not (street < end and reading.flags[street] & STREET_FIRST):
        return first, _number_after(reading, street)
    if not any(_could_be_street(reading, i) for i in range(index + 1, end + 1)):
        return None
    closed = _number_after(reading, end)
    whole_line = _starts_line(reading, first) and _starts_line(reading, end + 1)
    placed = reading.cased and reading.before(first) & WHERE
    return (first, closed) if closed > end or whole_line or index > first or placed else None


def _could_be_street(reading: Reading, index: int) -> bool:
    """Whether a word between two numbers may be a street's: not "2 EMI 3 months", not "MH 12 AB 1234"."""
    if reading.tells(index):
        return reading.length(index) > 2 and not reading.all_capitals(index)
    return reading.strange(index)


def _ends_street(reading: Reading, index: int) -> bool:
    flags, key = reading.flags[index], reading.keys[index]
    if flags & STREET:
        return True
    return len(key) >= _SHORTEST_GLUED and not flags & (COMMON | NAME) and key.endswith(reading.lexicon.glued)


def _in_run(reading: Reading, index: int) -> bool:
    flags = reading.flags[index]
    street = flags & (STREET | STREET_FIRST) and not flags & COMMON
    return bool(street) or reading.keys[index] in reading.lexicon.particles or reading.proper(index)


def _run(reading: Reading, index: int) -> int:
    """Last of the words of a street that goes on at this word; the word before it where none does."""
    end = index
    while (
        end - index < _LONGEST_STREET
        and reading.joined(end)
        and not reading.flags[end] & NUMBER
        and _in_run(reading, end)
    ):
        end += 1
    while end > index and reading.keys[end - 1] in reading.lexicon.particles:
        end -= 1
    return end - 1


def _street_start(reading: Reading, index: int) -> int:
    """First word of the street that ends at this word, with the house number before it."""
    first = index
    while first and index - first < _LONGEST_STREET and reading.before(first) and _in_run(reading, first - 1):
        if not reading.free(first - 1) or reading.flags[first - 1] & NUMBER:
            break
        first -= 1
    while first < index and not reading.proper(first):
        first += 1
    return _with_number_before(reading, _with_number_before(reading, first))


def _with_number_before(reading: Reading, index: int) -> int:
    return index - 1 if reading.before(index) & NUMBER and reading.free(index - 1) else index


def _number_after(reading: Reading, index: int) -> int:
    after = index + 1
    if after < reading.size and reading.flags[after] & NUMBER and _BEFORE_NUMBER.fullmatch(reading.gap(after)):
        return after
    return index


def _starts_line(reading: Reading, index: int) -> bool:
    return index in {0, reading.size} or "\n" in reading.gap(index)


def _end(reading: Reading, last: int) -> int:
    """The last word of the parts (floor, town, country, code) that follow, by commas or lines."""
    for _ in range(_MOST_PARTS):
        after = last + 1
        if after >= reading.size:
            break
        if reading.joined(after) and (_is_code(reading, after) or reading.flags[after] & UNIT):
            last = after
            continue
        if reading.gap(after).strip() == "-" and len(reading.keys[after]) == _INDIAN_CODE and _is_code(reading, after):
            last = after
            continue
        goes_on = reading.flags[last] & NUMBER and reading.joined(after) and reading.proper(after)
        end = _part(reading, after) if goes_on or _PART.fullmatch(reading.gap(after)) else None
        if end is None:
            break
        last = end
    return last


def _part(reading: Reading, index: int) -> int | None:
    """Last word of one part, which must be proper names and numbers to its end."""
    place = reading.place_of_several_words(index)
    if place is None and reading.flags[index] & PLACE and not reading.flags[index] & COMMON and reading.marked(index):
        place = index
    if place is not None and not (reading.joined(place + 1) and reading.proper(place + 1)):
        while reading.joined(place + 1) and _is_code(reading, place + 1):
            place += 1
        return place
    end = index
    while end < reading.size and end - index < _LONGEST_PART and (end == index or reading.joined(end)):
        if not (reading.flags[end] & (NUMBER | UNIT | STREET) or _in_run(reading, end)):
            break
        end += 1
    broken_off = end < reading.size and reading.joined(end)
    if end == index or (broken_off and not reading.cased and "\n" not in reading.gap(index)):
        return None
    return end - 1


def _is_code(reading: Reading, index: int) -> bool:
    return bool(reading.flags[index] & NUMBER) or (reading.length(index) == 2 and reading.all_capitals(index))
