"""Gender and sex: its words, or letters and flags under a name that says so."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

_WORDS = frozenset({"male", "female", "transgender", "non-binary", "nonbinary", "man", "woman"})


def is_gender_word(value: str) -> bool:
    """Say whether the value is a whole word for a gender, not only a letter or a flag."""
    return value.lower() in _WORDS


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
    context=("gender", "sex", "male", "female", "is (?:male|female)"),
    alone_share=0.5,
)
