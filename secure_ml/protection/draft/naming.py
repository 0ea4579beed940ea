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
_CONSENT = re.compile(r"\b(?:consent(?:ed)?|opt(?:ed)? in|gdpr|dpdp)\b")


def says_marital(column: str) -> bool:
    """Whether the name speaks of marital status."""
    return bool(_MARITAL.search(words_of(column)))


def says_age(column: str) -> bool:
    """Whether the name says that this is a person's age."""
    return bool(_AGE.search(words_of(column)))


def says_consent(column: str) -> bool:
    """Whether the name speaks of the subject's consent."""
    return bool(_CONSENT.search(words_of(column)))
