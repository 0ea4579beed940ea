"""NHS numbers of England, Wales and Northern Ireland: ten digits, the last modulo 11 (NHS Data Dictionary)."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import checksums
from secure_ml.protection.classify.pattern_detector import TextForm
from secure_ml.protection.classify.strict_detector import StrictDetector

# Ranges that were issued, and 9 of test numbers; ISBN-10 has the same check digit, and most books begin with 0 or 1.
_NUMBER = r"[34679][0-9]{2}[ -]?[0-9]{3}[ -]?[0-9]{4}"


def has_valid_check_digit(value: str) -> bool:
    """Say whether the last digit is the check digit of the nine before it."""
    from stdnum.gb import nhs

    return bool(nhs.is_valid(value))


DETECTOR = StrictDetector(
    entity=Entity.NHS_NUMBER,
    category=Category.HEALTH,
    identifiability=Identifiability.DIRECT,
    pattern=rf"{_NUMBER}|[0-9]{{9}}X",
    check=has_valid_check_digit,
    check_all=checksums.nhs_number,
    chance=1 / 11,
    context=("nhs(?: ?(?:no|num|number|id))?",),
    not_context=("trust", "board", "region", "count", "type", "code"),
    # A column of ISBN-10 has an X for the check digit in one cell of eleven.
    least_valid=0.96,
    alone_share=0.3,
    ceiling_alone=0.9,
    text=TextForm(pattern=_NUMBER, score=0.4, validated_score=0.75, before=("nhs", "nhs number", "nhs no")),
)
