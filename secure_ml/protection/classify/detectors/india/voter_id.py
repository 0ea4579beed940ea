"""Voter id, the number of India's photo identity card (EPIC): three letters, seven digits, the last by Luhn."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import checksums, expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[A-Z]{3}[ /-]?[0-9]{7}"
_OF_TODAY = re.compile(_PATTERN, re.IGNORECASE)
# Cards before the year 2000: state, parliamentary and assembly constituency, number; no check digit.
_OLD = r"[A-Z]{2}/[0-9]{1,3}/[0-9]{1,3}/[0-9]{4,7}"


def has_valid_check_digit(value: str) -> bool:
    """Say whether a number of today's form ends in the right Luhn digit."""
    from stdnum.in_ import epic

    return bool(epic.is_valid(value.replace("/", "")))


def have_valid_check_digits(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    return expressions.whole(_OF_TODAY)(values) & checksums.luhn(values)


DETECTOR = PatternDetector(
    entity=Entity.VOTER_ID,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=rf"{_PATTERN}|{_OLD}",
    kinds=frozenset({Kind.TEXT}),
    check=has_valid_check_digit,
    check_all=have_valid_check_digits,
    chance=0.1,
    context=(
        "voter ?(?:id|card)?(?: ?(?:no|num|number))?", "epic(?: ?(?:no|num|number|id))?", "elector ?(?:id|no|number)",
    ),
    not_context=("count", "turnout", "type", "flag", "status", "name"),
    alone_share=0.5,
    ceiling_alone=0.9,
    text=TextForm(
        pattern=rf"{_PATTERN}|{_OLD}", case_sensitive=True, score=0.4, validated_score=0.75,
        before=("voter", "voter id", "epic", "epic no", "elector"),
    ),
)  # fmt: skip
