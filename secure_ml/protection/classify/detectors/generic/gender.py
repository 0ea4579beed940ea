"""Gender and sex: its words, or letters and flags under a name that says so."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

_WORDS = re.compile(r"male|female|transgender|non-?binary|man|woman", re.IGNORECASE)


def is_gender_word(value: str) -> bool:
    """Say whether the value is a whole word for a gender, not only a letter or a flag."""
    return bool(_WORDS.fullmatch(value))


DETECTOR = PatternDetector(
    entity=Entity.GENDER,
    category=Category.PII,
    identifiability=Identifiability.QUASI,
    pattern=(
        r"m|f|o|x|t|male|female|transgender|trans|other|others|third gender|non-?binary|man|woman|unknown"
        r"|not (?:stated|disclosed)|prefer not to say|[0-3](?:\.0)?|true|false"
    ),
    kinds=frozenset({Kind.TEXT, Kind.NUMBER, Kind.FLAG}),
    check=is_gender_word,
    check_all=expressions.whole(_WORDS),
    context=("gender", "sex", "male", "female", "is (?:male|female)"),
    # Clothes are for men and women, and for children.
    alone_pattern_share=0.75,
    alone_share=0.3,
)
