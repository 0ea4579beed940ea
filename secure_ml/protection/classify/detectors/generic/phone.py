"""Telephone numbers: Indian mobile and fixed lines as people write them, and international ones.

Ten digits without any sign are as often the number of an order. India's numbering plan gives mobile telephones about
five in six of the numbers that begin with 6 to 9 (phonenumbers' copy of the plan of the Department of
Telecommunications): a column of telephones keeps to them, a column of other numbers does not.
"""

import re
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.pattern_detector import TextForm
from secure_ml.protection.classify.strict_detector import StrictDetector

_INDIA = r"(?:\(?(?:\+|00)?91\)?[ .-]{0,3}|0)"
_EXTENSION = r"(?: ?(?:x|ext\.?) ?[0-9]{1,6})?"
_PATTERN = (
    rf"{_INDIA}?[1-9](?:[ .-]{{0,2}}[0-9]){{9}}"
    r"|(?:\+91[ .-]?|0)[1-8][0-9]{1,3}[ .-]?[0-9]{6,8}"
    rf"|(?:\+|00)[1-9](?:[ .()/-]{{0,3}}[0-9]){{6,14}}{_EXTENSION}"
    rf"|(?:1[ .-])?(?:\([2-9][0-9]{{2}}\)[ .-]{{0,2}}|[2-9][0-9]{{2}}[ .-]{{1,2}})[0-9]{{3}}[ .-][0-9]{{4}}{_EXTENSION}"
)
# In text, eight digits in groups are masked whatever country, extension or date they are.
_LOOSE = (
    r"(?=(?:[ .()+-]{0,3}[0-9]){8})\+?\(?[0-9]{1,5}\)?(?:[ .()-]{0,3}[0-9]{2,8}){1,5}"
    rf"{_EXTENSION}"
)
# What a number that `is_possible_number` accepts shows: a mobile's digits, a sign or zero before them, or a gap.
_POSSIBLE = rf"{_INDIA}?[6-9](?:[ .-]{{0,2}}[0-9]){{9}}|(?:^|[^0-9A-Za-z])[+0(]|[0-9)][ .()-]{{1,3}}[0-9]"
_NORTH_AMERICAN = re.compile(
    rf"(?:1[ .-]?)?(?:\([2-9][0-9]{{2}}\)|[2-9][0-9]{{2}})[ .-]{{0,2}}[2-9][0-9]{{2}}[ .-]?[0-9]{{4}}{_EXTENSION}"
)
_ENDS_IN_EXTENSION = re.compile(r" ?(?:x|ext\.?) ?[0-9]{1,6}$", re.IGNORECASE)
_AS_WRITTEN = re.compile(r"^[+0(]|[ .)-]")
# What `_is_valid_by_plan` needs of a number: a country code, a zero at first, or the North American form.
_HAS_A_PLAN = re.compile(rf"^\(*\+|^[^0-9]*0|^(?:{_NORTH_AMERICAN.pattern})$")
# In the groups that people write: other ten digits with dots and dashes are versions and accounts of a ledger.
_GROUPED = (
    r"[6-9][0-9]{4}_[0-9]{5}|[6-9][0-9]{2}_(?:[0-9]{4}_[0-9]{3}|[0-9]{7})"
    r"|[6-9][0-9]{3}_(?:[0-9]{3}_[0-9]{3}|[0-9]{6})|[6-9][0-9]_(?:[0-9]{4}_[0-9]{4}|[0-9]{8}|[0-9]{2}(?:_[0-9]{2}){3})"
).replace("_", "[ .-]{1,2}")
_BARE = re.compile(r"[6-9][0-9]{9}")
_INDIAN_MOBILE = re.compile(rf"{_INDIA}?(?:{_GROUPED})|{_INDIA}[6-9][0-9]{{9}}")
_SERIES = 4
"""Digits of the series of numbers that is given to an operator in a region at once."""


def is_possible_number(value: str) -> bool:
    """Say whether a numbering plan has such a number: Indian by default, otherwise by country code."""
    if _BARE.fullmatch(value):
        return bool(_mobile_plan().fullmatch(value))
    if _INDIAN_MOBILE.fullmatch(value):
        return True
    called = _ENDS_IN_EXTENSION.sub("", value)
    return bool(_AS_WRITTEN.search(called)) and _is_valid_by_plan(called, re.sub(r"[^0-9]", "", called))


def are_possible_numbers(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    bare = expressions.whole(_BARE)(values)
    indian = expressions.whole(_INDIAN_MOBILE)(values) | (bare & expressions.whole(_mobile_plan())(values))
    candidates = expressions.within(_AS_WRITTEN)(values) & expressions.within(_HAS_A_PLAN)(values) & ~indian & ~bare
    return indian | expressions.passing(values, candidates, is_possible_number)


def series_of(value: str) -> str:
    """What numbers that were counted up share, where no sign says that they are telephones'; else the value."""
    return value[:_SERIES] if _BARE.fullmatch(value) else value


@cache
def _mobile_plan() -> re.Pattern[str]:
    import phonenumbers

    plan: Any = phonenumbers.PhoneMetadata.metadata_for_region("IN", None)
    return re.compile(plan.mobile.national_number_pattern)


def _is_valid_by_plan(value: str, digits: str) -> bool:
    import phonenumbers

    international = value.lstrip("(").startswith(("+", "00"))
    region = None if international else "IN" if digits.startswith("0") else "US"
    text = f"+{digits.removeprefix('00')}" if international else value
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return False
    if region == "US":
        return bool(_NORTH_AMERICAN.fullmatch(value)) and bool(phonenumbers.is_possible_number(number))
    return bool(phonenumbers.is_valid_number(number))


DETECTOR = StrictDetector(
    entity=Entity.PHONE,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    check=is_possible_number,
    check_all=are_possible_numbers,
    chance=0.5,
    kin=series_of,
    context=(
        "(?:tele)?phone",
        "(?:mobile|mob|cell|tel|whatsapp|landline|phone|contact) ?(?:no|num|number|nr)?",
        "cellphone",
        "ph ?(?:no|num|number|nr)",
        "msisdn",
    ),
    not_context=("type", "count", "name", "flag", "consent", "device", "model", "email", "date", "duration"),
    contrary=(
        "product",
        "order",
        "invoice",
        "sku",
        "items?",
        "parts?",
        "article",
        "batch",
        "serial",
        "shipment",
        "parcel",
        "barcode",
        "ticket",
        "transaction|txn",
        "receipt",
        "bill",
    ),
    # Of any ten digits from 6 to 9 on five in six are numbers of the plan, of those in groups of 3-3-4 four in five.
    # Invented telephones that keep to no plan are found by the third of them that is written as telephones are.
    least_valid=0.88,
    alone_share=0.3,
    # Ten digits are as often the number of an order.
    ceiling_alone=0.83,
    text=TextForm(
        # Not the middle of an amount or a version, and no date with its hour.
        pattern=rf"(?<![0-9][.,])(?!(?:19|20)[0-9]{{2}}-[01][0-9]-[0-3][0-9])(?:{_PATTERN}|{_LOOSE})",
        score=0.4,
        possible=_POSSIBLE,
        before=("phone", "mobile", "mob", "call", "tel", "whatsapp", "contact"),
    ),
)
