"""Ethnicity, race, caste and nationality: their words, or codes and flags under a name that says so."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

# "White", "black", "general" alone are colours and words of every day: they count under the column's name only.
_WORDS = re.compile(
    r"asian|asian-pac-islander|hispanic|latin[oa]|caucasian|african[ -]american|native american|amer-indian-eskimo"
    r"|dalit|adivasi|brahmin|obc|scheduled (?:caste|tribe)|other backward class",
    re.IGNORECASE,
)


def is_ethnicity_word(value: str) -> bool:
    """Say whether the value names an ethnic group or caste category beyond doubt."""
    return bool(_WORDS.fullmatch(value))


DETECTOR = PatternDetector(
    entity=Entity.ETHNICITY,
    category=Category.PII,
    identifiability=Identifiability.QUASI,
    pattern=r"[^0-9@#$%*_=<>|\\^~]+|[0-9]{1,2}(?:\.0)?",
    longest=60,
    kinds=frozenset({Kind.TEXT, Kind.NUMBER, Kind.FLAG}),
    check=is_ethnicity_word,
    check_all=expressions.whole(_WORDS),
    context=(
        "race",
        "racial",
        "ethnic(?:ity)?",
        "caste",
        "social ?(?:category|group)",
        "reservation ?category",
        "tribe",
        "nationality",
        "native country",
        "black",
        "white",
        "asian",
        "hispan(?:ic)?",
        "latin[oa]",
        "is (?:black|white|asian|hispanic)",
        "non ?(?:white|black|asian|hispan(?:ic)?)",
    ),
    not_context=("cell", "cells", "blood", "count", "list", "time", "series", "position", "lap", "result", "distance"),
    alone_share=0.3,
)
