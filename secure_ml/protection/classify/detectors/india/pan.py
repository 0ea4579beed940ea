"""PAN, the Indian income-tax number: five letters (the fourth says what kind of holder), four digits, a letter."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[A-Z]{5}[ -]?[0-9]{4}[ -]?[A-Z]"
_HELD = re.compile(
    r"[A-Z]{3}[ABCFGHJKLPT][A-Z][ -]?(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})[ -]?[A-Z]", re.IGNORECASE
)


def has_known_holder_type(value: str) -> bool:
    """Say whether the fourth letter is a kind of holder and the serial number is not zero."""
    return bool(_HELD.fullmatch(value))


DETECTOR = PatternDetector(
    entity=Entity.PAN,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    check=has_known_holder_type,
    check_all=expressions.whole(_HELD),
    chance=11 / 26,
    context=("pan", "pan ?(?:no|num|number|card|id)", "permanent account number", "income tax (?:no|number|id)"),
    traces=True,
    text=TextForm(pattern=_PATTERN, score=0.4),
)
