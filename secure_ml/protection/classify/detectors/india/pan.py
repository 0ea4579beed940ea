"""PAN, the Indian income-tax number: five letters (the fourth says what kind of holder), four digits, a letter."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[A-Z]{5}[ -]?[0-9]{4}[ -]?[A-Z]"


def has_known_holder_type(value: str) -> bool:
    """Say whether the fourth letter is a kind of holder and the serial number is not zero."""
    from stdnum.in_ import pan

    return bool(pan.is_valid(re.sub(r"[^A-Za-z0-9]", "", value)))


DETECTOR = PatternDetector(
    entity=Entity.PAN,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    check=has_known_holder_type,
    chance=10 / 26,
    context=("pan", "pan ?(?:no|num|number|card|id)", "permanent account number", "income tax (?:no|number|id)"),
    traces=True,
    text=TextForm(pattern=_PATTERN, score=0.4),
)
