"""IBAN, the international account number: country, two check digits modulo 97, national number (ISO 13616)."""

import re
import string
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

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
    plain = pc.ascii_upper(pc.replace_substring_regex(values, "[ .-]", ""))
    formed: npt.NDArray[np.bool_] = pc.match_substring_regex(plain, _forms()).to_numpy(zero_copy_only=False)
    foreign: npt.NDArray[np.bool_] = pc.invert(pc.string_is_ascii(values)).to_numpy(zero_copy_only=False)
    valid = formed & checksums.iso7064_mod97(values, rotated=4) & ~foreign
    return valid | expressions.passing(values, foreign, has_valid_check_digits)


@cache
def _forms() -> str:
    """The form of every country that has one, as python-stdnum's copy of the IBAN registry tells it."""
    from stdnum import numdb

    registry, kinds = numdb.get("iban"), {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}
    countries = ((a + b, registry.info(a + b)[0][1]) for a in string.ascii_uppercase for b in string.ascii_uppercase)
    forms = (
        country + ".." + re.sub("([0-9]+)!([nac])", lambda part: f"{kinds[part[2]]}{{{part[1]}}}", told["bban"])
        for country, told in countries
        if "bban" in told
    )
    return f"^(?:{'|'.join(forms)})$"


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
