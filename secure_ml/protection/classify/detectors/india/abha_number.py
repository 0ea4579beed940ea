"""ABHA, the number of India's health accounts: fourteen random digits, or an address at ``abdm`` (NHA).

The number has no check digit. In the groups it is printed in (2-4-4-4) it is told from other numbers; without them only
the column's name can tell.
"""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PRINTED = r"[1-9][0-9]-[0-9]{4}-[0-9]{4}-[0-9]{4}"
_NUMBER = r"[1-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}"
_ADDRESS = r"[A-Z0-9][A-Z0-9._]{2,62}[A-Z0-9]@(?:abdm|sbx)"
_TELLING = re.compile(rf"{_PRINTED}|{_ADDRESS}", re.IGNORECASE)


def is_printed_or_address(value: str) -> bool:
    """Say whether it is a number in the groups it is printed in, or an address."""
    return bool(_TELLING.fullmatch(value))


DETECTOR = PatternDetector(
    entity=Entity.ABHA_NUMBER,
    category=Category.HEALTH,
    identifiability=Identifiability.DIRECT,
    pattern=rf"{_NUMBER}|{_ADDRESS}",
    check=is_printed_or_address,
    check_all=expressions.whole(_TELLING),
    context=(
        "abha(?: ?(?:no|num|number|id|addr|address))?",
        "health ?(?:id|account)(?: ?(?:no|num|number))?", "phr ?address",
    ),
    not_context=("flag", "status", "type", "count", "verified", "linked"),
    alone_share=0.5,
    ceiling_alone=0.8,
    text=TextForm(
        pattern=rf"{_PRINTED}|{_ADDRESS}|{_NUMBER}", validated_score=0.85,
        before=("abha", "abha no", "abha number", "health id"),
    ),
)  # fmt: skip
