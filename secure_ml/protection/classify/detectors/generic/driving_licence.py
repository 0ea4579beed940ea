"""Driving licences: India's and Great Britain's by their shape; those of the United States by the column's name.

Indian ones are state, office, year and number (Form 7 of the Central Motor Vehicles Rules); British ones hold surname,
date of birth and initials (DVLA). Each of the United States has a shape of its own, and none has a check digit.
"""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_STATES = r"A[NPRS]|BR|C[GH]|D[DLN]|G[AJ]|H[PR]|J[HK]|K[AL]|L[AD]|M[HLNPZ]|NL|O[DR]|P[BY]|RJ|SK|T[GNRS]|U[AKP]|WB"
_INDIA = rf"(?:{_STATES})[ -]?[0-9]{{2}}[ /-]{{0,2}}(?:19[5-9]|20[0-4])[0-9][ /-]?[0-9]{{7}}"
_BRITAIN = r"[A-Z9]{5}[0-9](?:[05][1-9]|[16][0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9][A-Z9]{2}[A-Z0-9][A-Z]{2}"
# Any state of the United States: 4 to 14 digits, up to three letters before them, grouped or not.
_AMERICA = r"[A-Z]{0,3}[ -]?[0-9]{2,14}(?:[ -]?[0-9]{2,6}){0,5}[A-Z]{0,2}"
_OWN_SHAPE = re.compile(rf"{_INDIA}|{_BRITAIN}", re.IGNORECASE)


def has_own_shape(value: str) -> bool:
    """Say whether it is built as India's or Great Britain's are; what other countries issue looks like any number."""
    return bool(_OWN_SHAPE.fullmatch(value))


DETECTOR = PatternDetector(
    entity=Entity.DRIVING_LICENCE,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=rf"{_INDIA}|{_BRITAIN}|{_AMERICA}",
    longest=24,
    kinds=frozenset({Kind.TEXT, Kind.NUMBER}),
    check=has_own_shape,
    check_all=expressions.whole(_OWN_SHAPE),
    context=(
        "(?:driving|drivers?|driver s) ?licen[cs]e(?: ?(?:no|num|number|id))?",
        "(?:dl|dlic|licen[cs]e) ?(?:no|num|number)",
    ),
    not_context=(
        "type", "class", "category", "status", "expir(?:y|es|ed|ation)", "issued?", "date", "state", "valid", "flag",
        "has", "years", "count", "plate", "software", "business", "trade", "points",
    ),
    context_share=0.3,
    alone_share=0.3,
    ceiling_alone=0.9,
    text=TextForm(
        pattern=rf"{_INDIA}|{_BRITAIN}|{_AMERICA}",
        possible=_OWN_SHAPE.pattern,
        before=("driving licence", "driving license", "driver's license", "driver license", "dl no", "licence no",
                "license number", "licence number"),
    ),
)  # fmt: skip
