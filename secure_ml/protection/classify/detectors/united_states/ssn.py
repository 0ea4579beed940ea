"""Social Security numbers of the United States: area, group, serial; no check digit (SSA)."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.pattern_detector import TextForm
from secure_ml.protection.classify.strict_detector import StrictDetector

_PATTERN = r"[0-9][0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{4}"
_GROUPED = r"[0-8][0-9]{2}(?:-[0-9]{2}-| [0-9]{2} )[0-9]{4}"
# Area 000 and 666, group 00 and serial 0000 are not given out.
_ISSUED = re.compile(
    r"(?:00[1-9]|0[1-9][0-9]|[1-57-8][0-9]{2}|6[0-57-9][0-9]|66[0-57-9])"
    r"-(?:0[1-9]|[1-9][0-9])-"
    r"(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
)


def is_grouped_and_issued(value: str) -> bool:
    """Say whether it is written in its groups of 3-2-4, with hyphens, and each could have been issued.

    Nine digits without groups are any number, and with spaces as often a telephone number: nine in ten could have been.
    """
    return bool(_ISSUED.fullmatch(value))


DETECTOR = StrictDetector(
    entity=Entity.SSN,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    check=is_grouped_and_issued,
    check_all=expressions.whole(_ISSUED),
    context=(
        "ssn(?: ?(?:no|num|number))?",
        "social ?sec(?:urity)?(?: ?(?:no|num|number|id))?",
        "ss ?(?:no|num|number)",
    ),
    not_context=("last", "type", "flag", "status", "verified", "count"),
    # A tenth of the numbers of other things that are so grouped could not have been issued.
    least_valid=0.94,
    alone_share=0.3,
    ceiling_alone=0.9,
    text=TextForm(
        # Not the middle of a longer number, such as a telephone number with its country.
        pattern=rf"(?<![0-9)][ -])(?:{_GROUPED}|[0-9]{{9}})(?![ -][0-9])",
        possible=_ISSUED.pattern,
        before=("ssn", "social security", "social security number"),
    ),
)
