"""IBAN, the international account number: country, two check digits modulo 97, national number (ISO 13616)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import checksums, expressions
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?"


def has_valid_check_digits(value: str) -> bool:
    """Say whether the country's form and the check digits hold."""
    from stdnum import iban

    return bool(iban.is_valid(value, check_country=False))


def have_valid_check_digits(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    return expressions.passing(values, checksums.iso7064_mod97(values, rotated=4), has_valid_check_digits)


DETECTOR = PatternDetector(
    entity=Entity.IBAN,
    category=Category.FINANCIAL,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    check=has_valid_check_digits,
    check_all=have_valid_check_digits,
    chance=1 / 97,
    context=("iban", "iban ?(?:no|num|number|code)"),
    traces=True,
    text=TextForm(pattern=_PATTERN),
)
