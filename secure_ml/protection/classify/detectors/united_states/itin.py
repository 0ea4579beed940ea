"""ITIN, the taxpayer's number of those without a Social Security number: 9xx, and groups of its own (IRS)."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_GROUP = r"(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-2]|9[4-9])"
_GROUPED = rf"9[0-9]{{2}}[ -]{_GROUP}[ -][0-9]{{4}}"
_IS_GROUPED = re.compile(_GROUPED)


def is_grouped(value: str) -> bool:
    """Say whether it is written in its groups of 3-2-4; nine digits without groups are any number."""
    return bool(_IS_GROUPED.fullmatch(value))


DETECTOR = PatternDetector(
    entity=Entity.ITIN,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=rf"{_GROUPED}|9[0-9]{{2}}{_GROUP}[0-9]{{4}}",
    check=is_grouped,
    check_all=expressions.whole(_IS_GROUPED),
    context=("itin(?: ?(?:no|num|number))?", "tax(?:payer)? ?(?:id|identification)(?: ?(?:no|num|number))?", "tin"),
    not_context=("type", "flag", "status", "verified", "count"),
    alone_share=0.8,
    ceiling_alone=0.9,
    text=TextForm(pattern=_GROUPED, score=0.4, before=("itin", "taxpayer", "tin")),
)
