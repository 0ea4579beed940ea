"""GSTIN, the Indian goods-and-services-tax number: state, PAN, entity, Z, check digit (GSTN).

States are those of the tax's own list: 1 to 38 in the order of the census, with Ladakh, and 97 for other territory.
"""

import re
import string
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import checksums, expressions
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][0-9A-Z]Z[0-9A-Z]"
_OF_A_STATE = re.compile(r"0[1-9]|[12][0-9]|3[0-8]|97")
_ALPHABET = string.digits + string.ascii_uppercase


def has_valid_check_digit(value: str) -> bool:
    """Say whether state, embedded PAN and check digit hold."""
    from stdnum import luhn
    from stdnum.in_ import pan

    number = value.upper()
    held = _OF_A_STATE.match(number) and number[12] != "0" and pan.is_valid(number[2:12])
    return bool(held and luhn.is_valid(number, _ALPHABET))


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
