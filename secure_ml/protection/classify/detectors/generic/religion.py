"""Religion: its words, or codes under a name that says so."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

_WORDS = re.compile(
    r"hindu(?:ism)?|muslim|islam(?:ic)?|christian(?:ity)?|catholic|protestant|sikh(?:ism)?|buddhis[tm]|jain(?:ism)?"
    r"|parsi|zoroastrian|jewish|judaism|bahai|sarna|atheist|agnostic",
    re.IGNORECASE,
)


def is_religion_word(value: str) -> bool:
    """Say whether the value names a religion."""
    return bool(_WORDS.fullmatch(value))


DETECTOR = PatternDetector(
    entity=Entity.RELIGION,
    category=Category.PII,
    identifiability=Identifiability.QUASI,
    pattern=r"[^0-9@#$%*_=<>|\\^~]+|[0-9]{1,2}",
    longest=40,
    kinds=frozenset({Kind.TEXT, Kind.NUMBER, Kind.FLAG}),
    check=is_religion_word,
    check_all=expressions.whole(_WORDS),
    context=("religion", "religious", "faith", "hindu", "muslim", "christian", "sikh", "is (?:hindu|muslim|christian)"),
    alone_share=0.3,
)
