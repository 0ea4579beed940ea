"""Aadhaar, the Indian resident's number: twelve digits, the last a Verhoeff check digit (UIDAI)."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import checksums
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[2-9][0-9]{3}[ .-]{0,2}[0-9]{4}[ .-]{0,2}[0-9]{4}"


def has_valid_check_digit(value: str) -> bool:
    """Say whether a number of that shape ends in the right Verhoeff digit and is no palindrome."""
    from stdnum.in_ import aadhaar

    return bool(aadhaar.is_valid(re.sub(r"[^0-9]", "", value)))


def have_valid_check_digits(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    return checksums.verhoeff(values) & ~checksums.palindromes(values)


DETECTOR = PatternDetector(
    entity=Entity.AADHAAR,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    check=has_valid_check_digit,
    check_all=have_valid_check_digits,
    chance=0.1,
    context=("aadh?aa?r", "adhaa?r", "uidai", "uid"),
    traces=True,
    # Not the middle of a UUID.
    text=TextForm(pattern=rf"(?<![0-9A-Fa-f]{{4}}-){_PATTERN}(?!-[0-9A-Fa-f])", score=0.4),
)
