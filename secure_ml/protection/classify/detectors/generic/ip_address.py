"""IP addresses, version 4 (RFC 791) and 6 (RFC 4291), with a port or the length of a network."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import TextForm
from secure_ml.protection.classify.strict_detector import StrictDetector

_PATTERN = (
    r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?::[0-9]{2,5}|/[0-9]{1,2})?"
    r"|[0-9A-F]{0,4}(?::[0-9A-F]{0,4}){2,7}(?:\.[0-9]{1,3}){0,3}(?:/[0-9]{1,3}|%[A-Z0-9]{1,15})?"
)
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PORT_OR_NETWORK = r"(?::[0-9]{2,5}|/[0-9]{1,2})?"
_VERSION_4 = re.compile(rf"(?:{_BYTE}\.){{3}}{_BYTE}{_PORT_OR_NETWORK}")
# Four small numbers are a version, a section or an object identifier: where none has three digits, or the first has
# one and not two of the others have three, the column's name must say address. Of addresses one in thirty is such.
_LARGE = re.compile(
    r"^10\.|^[1-9][0-9]{2}\.|^[1-9][0-9]\.[0-9.]*[0-9]{3}(?:[.:/]|$)"
    r"|^[1-9]\.(?:[0-9]{3}\.[0-9]{3}\.|[0-9]{3}\.[0-9]+\.[0-9]{3}|[0-9]+\.[0-9]{3}\.[0-9]{3})"
)
# A time of day has two colons.
_IN_TEXT_6 = r"[0-9A-F]{1,4}::[0-9A-F]{1,4}|[0-9A-F]{0,4}(?::[0-9A-F]{0,4}){3,7}(?:\.[0-9]{1,3}){0,3}"
_SHORTEST = len("1::1")


def is_address(value: str) -> bool:
    """Say whether the whole value is an address; `::` and words such as "add::bad" say too little."""
    return bool(_VERSION_4.fullmatch(value) and _LARGE.search(value)) or is_version_6(value)


def is_version_6(value: str) -> bool:
    """Say whether the value is an address of version 6, without the length of its network."""
    import ipaddress

    try:
        ipaddress.IPv6Address(value.partition("/")[0])
    except ValueError:
        return False
    return len(value) >= _SHORTEST and any(character.isdigit() for character in value)


def are_addresses(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    several_colons: npt.NDArray[np.bool_] = pc.match_substring_regex(values, ":.*:").to_numpy(zero_copy_only=False)
    version_4 = expressions.whole(_VERSION_4)(values) & expressions.within(_LARGE)(values)
    return version_4 | expressions.passing(values, several_colons, is_version_6)


DETECTOR = StrictDetector(
    entity=Entity.IP_ADDRESS,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    kinds=frozenset({Kind.TEXT}),
    check=is_address,
    check_all=are_addresses,
    context=("ip", "ip ?v?[46]?", "ip ?(?:addr|address)", "(?:client|remote|source|login) ?ip"),
    least_valid=0.5,
    alone_share=0.3,
    ceiling_alone=0.9,
    text=TextForm(
        pattern=rf"(?:{_BYTE}\.){{3}}{_BYTE}(?![.][0-9])|{_IN_TEXT_6}", score=0.4, before=("ip", "ip address", "host")
    ),
)
