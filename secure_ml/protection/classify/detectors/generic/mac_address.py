"""MAC addresses: the 48-bit numbers of network interfaces (IEEE 802), in pairs or in Cisco's groups of four."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_GROUPED = r"[0-9A-F]{2}(?::[0-9A-F]{2}){5}|[0-9A-F]{2}(?:-[0-9A-F]{2}){5}|[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}"
_OF_ONE = re.compile(rf"(?:{_GROUPED})", re.IGNORECASE)
# The lowest bit of the first byte marks a group of devices, or all of them.
_UNICAST = re.compile(r"^[0-9A-F][02468ACE]", re.IGNORECASE)
_LETTER = re.compile(r"[A-F]", re.IGNORECASE)


def is_of_one_device(value: str) -> bool:
    """Say whether it is grouped, has a letter, and is one device's address.

    Six pairs of digits are as often a point in time, and twelve hexadecimal digits without groups the head of a hash.
    """
    return bool(_OF_ONE.fullmatch(value) and _UNICAST.search(value) and _LETTER.search(value))


def are_of_one_device(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    return (
        expressions.whole(_OF_ONE)(values) & expressions.within(_UNICAST)(values) & expressions.within(_LETTER)(values)
    )


DETECTOR = PatternDetector(
    entity=Entity.MAC_ADDRESS,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=rf"{_GROUPED}|[0-9A-F]{{12}}",
    kinds=frozenset({Kind.TEXT}),
    check=is_of_one_device,
    check_all=are_of_one_device,
    context=(
        "mac",
        "mac ?(?:id|addr|address)",
        "(?:wifi|wi fi|wlan|ethernet|bluetooth|device) ?(?:mac|address)",
        "bssid",
    ),
    not_context=("model", "version", "os", "flag"),
    alone_share=0.3,
    ceiling_alone=0.9,
    text=TextForm(pattern=_GROUPED, score=0.4),
)
