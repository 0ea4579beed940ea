"""NPI, the number of a provider of health care in the United States: ten digits, Luhn after the prefix 80840 (CMS)."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import checksums, expressions
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[12][0-9]{9}"
_ONE_DIGIT = re.compile("^(?:1{9}|2{9})")


def has_valid_check_digit(value: str) -> bool:
    """Say whether Luhn holds for the number after its prefix (ISO/IEC 7812: health, United States)."""
    from stdnum import luhn

    return bool(luhn.is_valid(f"80840{value}")) and not _ONE_DIGIT.search(value)


def have_valid_check_digits(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    return checksums.luhn(values, prefix="80840") & ~expressions.within(_ONE_DIGIT)(values)


DETECTOR = PatternDetector(
    entity=Entity.NPI,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    check=has_valid_check_digit,
    check_all=have_valid_check_digits,
    chance=0.1,
    context=(
        "npi(?: ?(?:no|num|number|id))?",
        "national provider(?: ?(?:id|identifier|number))?",
        "(?:provider|physician|prescriber|prscrbr|doctor) ?(?:npi|identifier)",
    ),
    not_context=("type", "flag", "count", "status"),
    alone_share=0.6,
    ceiling_alone=0.9,
    text=TextForm(pattern=_PATTERN, validated_score=0.5, before=("npi", "national provider identifier")),
)
