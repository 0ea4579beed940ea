"""Routing numbers of banks in the United States: nine digits, the first two a district, and a check digit (ABA)."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import checksums, expressions
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[0-9]{9}"
# Federal Reserve districts 1 to 12, the same for thrift institutions and electronic payments, travellers' cheques.
_OF_A_DISTRICT = re.compile(r"(?:0[0-9]|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80)[0-9]{7}")


def is_of_a_district(value: str) -> bool:
    """Say whether the number begins with a district and ends in its check digit."""
    from stdnum.us import rtn

    return bool(_OF_A_DISTRICT.fullmatch(value)) and bool(rtn.is_valid(value))


def are_of_a_district(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    return expressions.whole(_OF_A_DISTRICT)(values) & checksums.routing_number(values)


DETECTOR = PatternDetector(
    entity=Entity.ROUTING_NUMBER,
    category=Category.FINANCIAL,
    identifiability=Identifiability.QUASI,
    pattern=_PATTERN,
    check=is_of_a_district,
    check_all=are_of_a_district,
    chance=0.1,
    context=(
        "(?:bank |ach |wire )?routing(?: ?(?:transit)?(?: ?(?:no|num|number|code))?)?",
        "aba(?: ?(?:no|num|number))?",
        "rtn",
    ),
    not_context=("key", "rule", "status", "queue", "table", "type"),
    alone_share=0.6,
    ceiling_alone=0.85,
    text=TextForm(pattern=_PATTERN, validated_score=0.5, before=("routing", "aba", "rtn", "routing number")),
)
