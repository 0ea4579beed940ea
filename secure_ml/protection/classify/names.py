"""Finds names of people, places and organisations in a text, by a dictionary and rules of context.

Belongs here: how neighbouring words make a name. Must stay out: the dictionary (lexicon) and models (spacy_model).

Capitals are used where a text has them; a text without them, or of nothing else, is read by its words alone. Costs
linear time: each rule looks at a bounded number of neighbours.
"""

from collections.abc import Iterator

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.addresses import addresses
from secure_ml.protection.classify.lexicon import (
    ANY,
    BODY,
    COMMON,
    COMPANY,
    COUNTRY,
    GIVEN,
    INTRODUCES,
    NAME,
    PLACE,
    PLACE_STARTS,
    TITLE,
    WHERE,
    word_set,
)
from secure_ml.protection.classify.reading import CAPITAL, CASELESS, JOINED, NUMBER, POSSESSIVE, STARTS, TAKEN, Reading
from secure_ml.protection.classify.short_phones import short_phones
from secure_ml.protection.classify.span import Span

INTRODUCED, KNOWN, UNKNOWN = 0.75, 0.6, 0.4
"""Scores: a name that the text itself presents as one; a name of the dictionary; a capitalised stranger."""

_AFTER_NAMES = word_set("jr sr ii iii iv md phd esq")
_ARRIVES = word_set(
    "arrive arrived arrives arriving born land landed live lived lives living reside resides stay stayed"
)
_ACTS = word_set("asked called lives paid said says spent told wanted wants works")
_ARTICLES = word_set("a an the this that new our your their his her my")
_SPEAKS = word_set(
    "belongs explained gave given handed lent referred said sent sold speak spoke talk talked write wrote"
)
_OF_PLACES = word_set("city county district province island islands beach hills heights park valley springs falls")
_FROM = frozenset({"from", "to"})
_OF = frozenset({"of", "for"})
_BETWEEN_COMPANIES = frozenset({", ", " & ", " and "})
_LONGEST_NAME = 4
_SHORTEST_STRANGER = 3
_LONGEST_ACRONYM = 4
_MOST_INITIALS = 3
_LETTERS_THAT_ARE_WORDS = frozenset({"a", "i"})
_PRESENTS = frozenset({"is", "o"})
_CHILD_OF = frozenset("sd")
_RELATIONS = _CHILD_OF | frozenset("wchf")


def find_names(folded: str) -> list[Span]:
    """Find names, places, addresses and organisations in a folded text (``cells.fold``); they do not overlap.

    Each search takes its words away from the next: a street named after somebody is no person, and a short telephone
    number, which is found here by the words around it too, no house.
    """
    reading = Reading(folded)
    rules = (short_phones, addresses, _organisations, _countries, _people, _places)
    return [span for rule in rules for span in rule(reading)] if reading.size else []


def _organisations(reading: Reading) -> Iterator[Span]:
    for index, flags in enumerate(reading.flags):
        if not flags & (COMPANY | BODY) or not reading.free(index) or not _names_company(reading, index):
            continue
        first = last = index
        while flags & COMPANY and index - first < _LONGEST_NAME and _joins_company(reading, first):
            first -= 1
        while reading.has(last + 1, COMPANY) and reading.proper(last + 1):
            last += 1
        if flags & BODY and reading.joined(index + 1) and reading.keys[index + 1] in _OF:
            last = max(last, _capitals(reading, index + 2))
        if last > first:
            yield reading.take(Entity.EMPLOYER, first, last, KNOWN)


def _names_company(reading: Reading, index: int) -> bool:
    """Whether the word for a kind of company is meant as one: two letters such as "as" are words of many languages."""
    if not reading.tells(index):
        return not reading.flags[index] & COMMON and reading.length(index) > 2
    if not reading.flags[index] & CAPITAL:
        return False
    return reading.length(index) > 2 or reading.all_capitals(index) or reading.keys[index] == "co"


def _joins_company(reading: Reading, index: int) -> bool:
    before = index - 1
    if before < 0 or not reading.free(before) or not reading.proper(before):
        return False
    if reading.flags[before] & COMMON and reading.flags[before] & STARTS:
        return False
    return reading.joined(index) or reading.gap(index) in _BETWEEN_COMPANIES


def _capitals(reading: Reading, index: int) -> int:
    """Last of the proper names that go on at this word; the word before it where none does."""
    end = index
    while end - index < _LONGEST_NAME and reading.joined(end) and reading.free(end) and reading.proper(end):
        end += 1
    return end - 1


def _countries(reading: Reading) -> Iterator[Span]:
    """Countries, and places of several words, before people: Kenya and El Salvador are names of people too."""
    for index in range(reading.size):
        flags = reading.flags[index]
        if not flags & (COUNTRY | PLACE_STARTS) or not reading.free(index):
            continue
        last = reading.place_of_several_words(index)
        if last is None and flags & COUNTRY and not flags & COMMON and reading.marked(index) and _alone(reading, index):
            last = index
        if last is not None and reading.free(last):
            yield reading.take(Entity.PLACE, index, last, KNOWN)


def _alone(reading: Reading, index: int) -> bool:
    """Whether no name stands beside a country that is a name itself ("Jordan Smith")."""
    if reading.before(index) & (TITLE | INTRODUCES) or (index and reading.keys[index - 1] == "is"):
        return not reading.flags[index] & NAME
    return not any(
        flags & NAME and not flags & COMMON and bool(flags & CAPITAL) == reading.cased
        for flags in (reading.before(index), reading.after(index))
    )


def _people(reading: Reading) -> Iterator[Span]:
    for index, flags in enumerate(reading.flags):
        # Most words are none of these, and a person is asked for at each word of each text.
        presented = index and (reading.flags[index - 1] & INTRODUCES or reading.keys[index - 1] in _PRESENTS)
        initial = not reading.cased and reading.length(index) == 1
        if not (flags & (CAPITAL | NAME | TITLE) or presented or initial) or flags & TAKEN:
            continue
        found = _person(reading, index)
        if found is not None:
            yield reading.take(Entity.PERSON_NAME, index, *found)


def _person(reading: Reading, index: int) -> tuple[int, float] | None:
    """Last word and score of the name that starts at this word."""
    flags = reading.flags[index]
    if flags & NUMBER:
        return None
    if flags & TITLE and reading.marked(index) and reading.joined(index + 1):
        first = _after_initials(reading, index + 1)
        last = _name_end(reading, first, introduced=reading.tells(index) or not flags & COMMON)
        if last > index:
            return last, INTRODUCED
    introduced = _introduced(reading, index)
    if introduced is not None:
        last = _name_end(reading, index, introduced=introduced)
        if last >= index:
            return last, INTRODUCED
    first = _after_initials(reading, index)
    if first > index and (reading.flags[first] & NAME or first > index + 1) and not reading.flags[first] & COMMON:
        return _name_end(reading, first, introduced=True), KNOWN
    if _known(reading, index):
        last = _name_end(reading, index, introduced=False)
        if last >= index:
            return last, KNOWN
    if _stranger(reading, index):
        return max(index, _name_end(reading, index, introduced=False)), UNKNOWN
    return None


def _after_initials(reading: Reading, index: int) -> int:
    """The proper name after up to three initials ("J. R. Tolson") that begin at this word; this word where none do."""
    first = index
    while first - index < _MOST_INITIALS and reading.length(first) == 1 and reading.marked(first):
        if not reading.joined(first + 1) or not reading.free(first + 1):
            return index
        # Without capitals only a full stop tells an initial from a letter.
        if not reading.tells(first) and "." not in reading.gap(first + 1):
            return index
        first += 1
    article = first == index + 1 and reading.keys[index] in _LETTERS_THAT_ARE_WORDS and "." not in reading.gap(first)
    is_name = reading.marked(first) and reading.length(first) >= _SHORTEST_STRANGER
    return first if is_name and not article and not reading.flags[first] & NUMBER else index


def _introduced(reading: Reading, index: int) -> bool | None:
    """Whether the words before say that a name comes ("my name is", "Name:", "Dear"); False if they only may."""
    if not index or reading.flags[index] & (COMMON | TITLE):
        return None
    said, gap = index - 1, reading.gap(index)
    if _related(reading, index):
        return True
    certain = ":" in gap or reading.keys[said] == "dear"
    if reading.keys[said] == "is" and index > 1:
        said, certain = index - 2, True
    if len(gap) > 4 or not reading.flags[said] & INTRODUCES or not reading.free(index - 1):
        return None
    return certain or reading.tells(index)


def _related(reading: Reading, index: int) -> bool:
    """Whether the words before are "s/o", "w/o" or the like; some of them mean "without" and "complains of" too."""
    if index < 2 or reading.keys[index - 1] != "o" or reading.gap(index - 1) != "/":
        return False
    relation = reading.keys[index - 2]
    if reading.flags[index] & (CAPITAL | NAME):
        return relation in _RELATIONS
    return relation in _CHILD_OF and not reading.tells(index)


def _known(reading: Reading, index: int) -> bool:
    """Whether a word of the dictionary is meant as a name here."""
    flags, after = reading.flags[index], reading.after(index)
    if not flags & NAME or _abbreviates(reading, index):
        return False
    if flags & COMMON:
        # "Will Smith", "Mark Olsen": only capitals and a second name tell them from words.
        told = reading.cased and flags & CAPITAL and flags & GIVEN and not reading.all_capitals(index)
        return bool(told and after & CAPITAL and not after & COMMON)
    if reading.tells(index) and not flags & CAPITAL:
        return bool(after & NAME and (flags | after) & GIVEN and not after & COMMON)
    if _is_where(reading, index) and (flags & PLACE or not flags & GIVEN):
        second = after & CAPITAL if reading.tells(index) else after & NAME and not after & COMMON
        return bool(flags & GIVEN and second and reading.keys[index - 1] in _FROM)
    if not reading.tells(index) and not flags & GIVEN:
        return bool(after & NAME and not after & COMMON)
    return True


def _abbreviates(reading: Reading, index: int) -> bool:
    """Whether a word is too short for a name by itself ("AB"), or four capitals among other letters ("NEFT")."""
    if reading.tells(index):
        return reading.length(index) <= _LONGEST_ACRONYM and reading.all_capitals(index)
    return reading.length(index) < _SHORTEST_STRANGER and not reading.flags[index] & CASELESS


def _stranger(reading: Reading, index: int) -> bool:
    """A capitalised word that is no word of the language, an abbreviation or a place, where a person would stand."""
    flags = reading.flags[index]
    if not reading.cased or not flags & CAPITAL or flags & (COMMON | PLACE | TITLE):
        return False
    if reading.length(index) < _SHORTEST_STRANGER or reading.all_capitals(index) or _is_where(reading, index):
        return False
    if flags & STARTS:
        return bool(flags & POSSESSIVE) or _addressed(reading, index)
    beside = reading.gap(index) == " & " and reading.flags[index - 1] & TAKEN
    if not beside and reading.gap(index).strip(" ,'(\u2018\u2019"):
        return False
    if reading.before(index) & CAPITAL or (flags & JOINED and reading.keys[index - 1] in _ARTICLES):
        return False
    after = reading.after(index)
    return not (after & CAPITAL and after & COMMON)


def _addressed(reading: Reading, index: int) -> bool:
    """Whether a sentence speaks to its first word ("Asha, can you …") or lets it act as people do."""
    after = index + 1
    if after >= reading.size or not reading.strange(index):
        return False
    if reading.keys[after] in _ACTS:
        return reading.joined(after)
    return reading.gap(after) == ", " and bool(reading.flags[after] & COMMON and not reading.flags[after] & CAPITAL)


def _name_end(reading: Reading, index: int, *, introduced: bool) -> int:
    """Last word of the name that starts at this word; the word before it where none does."""
    end, particles = index, reading.lexicon.particles
    while end - index < _LONGEST_NAME and reading.free(end):
        if end > index and (reading.flags[end - 1] & POSSESSIVE or not reading.joined(end)):
            break
        inside = end > index and reading.keys[end] in particles
        if not inside and not _name_part(reading, end, index, introduced=introduced):
            break
        end += 1
    while end > index and reading.keys[end - 1] in particles and not reading.flags[end - 1] & CAPITAL:
        end -= 1
    return end - 1


def _name_part(reading: Reading, index: int, first: int, *, introduced: bool) -> bool:
    flags = reading.flags[index]
    if flags & NUMBER:
        return False
    if index > first and reading.keys[index] in _AFTER_NAMES:
        return True
    if reading.tells(index) and flags & CAPITAL:
        if index == first and not introduced:
            return True
        return not flags & COMMON or bool(flags & NAME and not flags & STARTS)
    if flags & COMMON:
        return False
    if flags & NAME:
        return True
    if reading.tells(index) or flags & ANY:
        return False
    return index < first + 2 and (introduced or (index > first and reading.strange(index)))


def _places(reading: Reading) -> Iterator[Span]:
    for index in range(reading.size):
        flags = reading.flags[index]
        if not reading.free(index) or flags & (COMMON | NUMBER) or not reading.marked(index):
            continue
        where = _is_where(reading, index)
        if flags & PLACE and (reading.tells(index) or flags & COUNTRY or where):
            after = index + 1
            last = after if reading.has(after, CAPITAL) and reading.keys[after] in _OF_PLACES else index
            yield reading.take(Entity.PLACE, index, last, KNOWN)
        elif where and _unknown_place(reading, index):
            yield _where(reading, index)


def _is_where(reading: Reading, index: int) -> bool:
    """Whether the word before says where: not the "to" of somebody who is spoken to."""
    spoken = index > 1 and reading.keys[index - 1] == "to" and reading.keys[index - 2] in _SPEAKS
    return bool(reading.before(index) & WHERE) and not spoken


def _unknown_place(reading: Reading, index: int) -> bool:
    if not reading.cased or reading.length(index) < _SHORTEST_STRANGER or reading.flags[index] & INTRODUCES:
        return False
    return reading.length(index) > _LONGEST_ACRONYM or not reading.all_capitals(index)


def _where(reading: Reading, index: int) -> Span:
    """A proper name after "in" or "from" is a place; after "at" an organisation; with a number behind it an address."""
    last = max(index, _capitals(reading, index))
    if reading.has(last + 1, NUMBER):
        return reading.take(Entity.POSTAL_ADDRESS, index, last + 1, UNKNOWN)
    at = reading.keys[index - 1] == "at" and (index < 2 or reading.keys[index - 2] not in _ARRIVES)
    return reading.take(Entity.EMPLOYER if at else Entity.PLACE, index, last, UNKNOWN)
