"""GSTIN, the Indian goods-and-services-tax number: state, PAN, entity, Z, check digit."""

from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import checksums, expressions
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][0-9A-Z]Z[0-9A-Z]"


def has_valid_check_digit(value: str) -> bool:
    """Say whether state, embedded PAN and check digit hold."""
    from stdnum.in_ import gstin

    return bool(gstin.is_valid(value))


def have_valid_check_digits(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    candidates = checksums.luhn(values, alphabet=checksums.DIGITS_AND_LETTERS)
    return expressions.passing(values, candidates, has_valid_check_digit)


DETECTOR = PatternDetector(
    entity=Entity.GSTIN,
    category=Category.FINANCIAL,
    identifiability=Identifiability.QUASI,
    pattern=_PATTERN,
    check=has_valid_check_digit,
    check_all=have_valid_check_digits,
    chance=1 / 36,
    context=("gst", "gstin", "gst ?(?:in|no|num|number)"),
    traces=True,
    text=TextForm(pattern=_PATTERN, score=0.6),
)
