"""Finds what is written as it is spoken: "nine eight four ...", "asha dot rao at mail dot example", "client no C12345".

Belongs here: numbers and addresses in words, and codes that only the words before them announce. Must stay out: what
has a form of its own (detectors).
"""

import re
from collections.abc import Iterator

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.span import Span

SCORE = 0.75

_DIGIT = "zero|oh|nought|one|two|three|four|five|six|seven|eight|nine"
_SPOKEN = rf"(?:(?:double|triple)[ -])?(?:{_DIGIT}|[0-9])"
_FEWEST, _LONGEST_PHONE = 6, 13
_NUMBER = re.compile(rf"(?i)(?<![^\W_]){_SPOKEN}(?:[ ,-]{{1,2}}{_SPOKEN}){{{_FEWEST - 1},24}}(?![^\W_])")
_DIGITS = re.compile(rf"(?i)(double|triple)?[ -]?(?:{_DIGIT}|[0-9])")
_TIMES = {"": 1, "double": 2, "triple": 3}

_AT = r"(?: ?[\[({] ?(?:at|@) ?[\])}] ?| at | ?@ ?)"
_DOT = r"(?: ?[\[({] ?(?:dot|\.) ?[\])}] ?| dot |\.)"
_NAME = r"[A-Za-z0-9_+-]{1,64}"
_MAIL = re.compile(
    rf"(?i)(?<![\w.+-]){_NAME}(?:{_DOT}{_NAME}){{0,3}}{_AT}{_NAME}(?:{_DOT}{_NAME}){{0,3}}{_DOT}[a-z]{{2,10}}\b"
)
_IN_WORDS = re.compile(r"(?i)[\[({] ?(?:at|@|dot|\.) ?[\])}]| dot ")

_KINDS = r"customer|cust|client|member|employee|emp|student|patient|user|agent|loan|policy|folio"
_CODE = re.compile(
    rf"(?i)(?<![^\W_])(?:(?:{_KINDS})[ .]{{0,2}}(?:id|no|number|code|a/c)|cif|a/c|acct?|account)(?: ?(?:id|no|number))?"
    r"[ .:#=-]{0,4}(?P<code>[A-Z]{1,4}[-/]?[0-9]{4,14})(?![^\W_])"
)


POSSIBLE = (
    rf"(?i)(?:{_DIGIT})[ ,-]{{1,2}}(?:double|triple|{_DIGIT}|[0-9])|[\[({{] ?(?:at|@|dot|\.) ?[\])}}]| dot "
    r"|(?:id|no|number|code|cif|a/c|acct?|account)[ .:#=-]{0,4}[A-Z]{1,4}[-/]?[0-9]{4}"
)
"""What every text with such a span holds, as RE2 reads it, to rule out the others at once."""
_MAY_HOLD = re.compile(POSSIBLE)


def find_spelled(folded: str) -> list[Span]:
    """Find numbers of six digits and more and mail addresses in words, and announced codes, in a folded text."""
    return [*_numbers(folded), *_mails(folded), *_codes(folded)] if _MAY_HOLD.search(folded) else []


def _numbers(folded: str) -> Iterator[Span]:
    for match in _NUMBER.finditer(folded):
        digits = sum(_TIMES[(times or "").lower()] for times in _DIGITS.findall(match.group()))
        entity = Entity.PHONE if digits <= _LONGEST_PHONE else Entity.ACCOUNT_NUMBER
        yield Span(entity=entity, start=match.start(), end=match.end(), score=SCORE)


def _mails(folded: str) -> Iterator[Span]:
    # "look at mail.example" is no address: one of the signs has to be written out.
    if _IN_WORDS.search(folded):
        for match in _MAIL.finditer(folded):
            if _IN_WORDS.search(match.group()):
                yield Span(entity=Entity.EMAIL, start=match.start(), end=match.end(), score=SCORE)


def _codes(folded: str) -> Iterator[Span]:
    for match in _CODE.finditer(folded):
        yield Span(entity=Entity.SUBJECT_ID, start=match.start("code"), end=match.end("code"), score=SCORE)
