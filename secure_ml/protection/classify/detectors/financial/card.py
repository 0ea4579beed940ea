"""Payment card numbers: 13 to 19 digits, a network's prefix (ISO/IEC 7812), a Luhn check digit.

Prefixes and lengths are those that the networks publish, as braintree's `credit-card-type` 10.3 collects them, with
those of RuPay, Visa's old thirteen digits and JCB's old fifteen.
"""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import checksums, expressions
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = (
    r"(?:[2-6][0-9]{3}|8[12][0-9]{2}|1800|9792)[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{1,4}(?:[ -]?[0-9]{1,3})?"
    r"|3[047689][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{4,5}"
)
_NETWORK = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11,16}"  # Diners Club
    r"|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12,15}"  # Discover, and RuPay's 65
    r"|(?:60|81|82|508)[0-9]{13,14}"  # RuPay
    r"|220[0-4][0-9]{12,15}"  # Mir
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}|(?:1800|2131)[0-9]{11}"  # JCB
    r"|9792[0-9]{12}"  # Troy
    r"|62[0-9]{14,17}"  # UnionPay
    r"|(?:50|5[6-9]|6[0-9])[0-9]{11,17}"  # Maestro
)


def has_network_and_check_digit(value: str) -> bool:
    """Say whether the number begins as a card network's does and passes Luhn."""
    from stdnum import luhn

    digits = re.sub(r"[^0-9]", "", value)
    return bool(_NETWORK.fullmatch(digits)) and bool(luhn.is_valid(digits))


def have_network_and_check_digit(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    digits = pc.replace_substring_regex(values, "[^0-9]", "")
    return expressions.whole(_NETWORK)(digits) & checksums.luhn(digits)


DETECTOR = PatternDetector(
    entity=Entity.CARD,
    category=Category.FINANCIAL,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    check=has_network_and_check_digit,
    check_all=have_network_and_check_digit,
    chance=0.1,
    context=("card", "(?:credit|debit|atm|payment) ?card", "card ?(?:no|num|number)", "cc ?(?:no|num|number)"),
    not_context=("type", "network", "count", "aadhaar", "pan", "limit"),
    traces=True,
    text=TextForm(pattern=_PATTERN, score=0.4),
)
