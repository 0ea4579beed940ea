"""Aadhaar virtual id, the stand-in for an Aadhaar number: sixteen digits, the last a Verhoeff check digit (UIDAI)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import checksums
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[2-9][0-9]{3}(?:[ -]?[0-9]{4}){3}"


def has_valid_check_digit(value: str) -> bool:
    """Say whether a number of that shape ends in the right Verhoeff digit and is no palindrome."""
    from stdnum.in_ import vid

    return bool(vid.is_valid(value))


def have_valid_check_digits(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    return checksums.verhoeff(values) & ~checksums.palindromes(values)


DETECTOR = PatternDetector(
    entity=Entity.AADHAAR_VIRTUAL_ID,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    check=has_valid_check_digit,
    check_all=have_valid_check_digits,
    chance=0.1,
    context=("(?:aadh?aa?r|adhaa?r|uidai) ?(?:vid|virtual ?id)", "vid(?: ?(?:no|num|number))?", "virtual ?id"),
    not_context=("video", "card"),
    alone_share=0.5,
    text=TextForm(pattern=_PATTERN, score=0.4, validated_score=0.75, before=("vid", "virtual id", "aadhaar vid")),
)
