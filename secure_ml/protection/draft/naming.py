"""What a column's name alone tells: attributes that no detector looks for, because their cells are everyday words.

Belongs here: words of names. Must stay out: cells.
"""

import re

from secure_ml.protection.classify.cells import words_of

_MARITAL = re.compile(r"\b(?:marital|marr|(?:un)?married|marriage|divorced?|widow(?:er|ed)?|civil status|spouse)\b")
_AGE = re.compile(
    r"^(?:age|age (?:in )?years?|age ?sq(?:uared?)?|log ?age|applicant age|customer age|patient age"
    r"|age at .*|years? of age)$"
)
_KNOWN_TO_STRANGERS = re.compile(
    r"\b(?:educat(?:ion|ional|ed)|school(?:ing)?|degree|qualification|occupation|job|profession|employment|work ?class"
    r"|nationality|citizen(?:ship)?|native country|birth ?place|country of birth|mother tongue|language|relationship"
    r"|(?:no |number |num |n )?(?:of )?(?:children|kids|dependants?|dependents?)|household|family size|veteran|caste"
    r"|tribe|sexual orientation|disab(?:led|ility)|immigrant|black|white|hispan(?:ic)?|asian|male|female)\b"
)
_POSTAL = re.compile(r"\b(?:pin ?code|zip(?: ?code)?|post(?:al)? ?code|postal|plz)\b")
_CONSENT = re.compile(r"\b(?:consent(?:ed)?|opt(?:ed)? in|gdpr|dpdp)\b")


def says_marital(column: str) -> bool:
    """Whether the name speaks of marital status."""
    return bool(_MARITAL.search(words_of(column)))


def says_age(column: str) -> bool:
    """Whether the name says that this is a person's age."""
    return bool(_AGE.search(words_of(column)))


def is_known_to_strangers(column: str) -> bool:
    """Whether the name speaks of what neighbours, colleagues or a profile on the web tell of a person."""
    return bool(_KNOWN_TO_STRANGERS.search(words_of(column)))


def says_postal(column: str) -> bool:
    """Whether the name speaks of a postal code."""
    return bool(_POSTAL.search(words_of(column)))


def says_consent(column: str) -> bool:
    """Whether the name speaks of the subject's consent."""
    return bool(_CONSENT.search(words_of(column)))
