"""Postal addresses: words of streets and settlements, or anything of several parts under a name that says address."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

_TERMS = re.compile(
    r"\b(?:road|rd|street|st|nagar|marg|sector|colony|layout|lane|avenue|ave|drive|boulevard|blvd|apartments?|apt"
    r"|flat|plot|house no|h\.? ?no|door no|floor|block|society|enclave|vihar|puram|pura|gali|chowk|bazaa?r|extension"
    r"|extn|phase|cross|near|opp|opposite|village|taluka?|tehsil|district|dist|p\.?o\.?|building|bldg|towers?|residency"
    r"|circle|salai|theru|bagh|ganj|wadi|suite|court|plaza|highway|terrace|close)\b",
    re.IGNORECASE,
)
_SHORT = re.compile(r".{0,200}", re.DOTALL)
_HAS_NUMBER_OR_COMMA = re.compile(r"[0-9,]")


def reads_as_address(value: str) -> bool:
    """Say whether a word of addresses and a number or comma stand in the value, and it is no long prose."""
    return bool(_SHORT.fullmatch(value) and _HAS_NUMBER_OR_COMMA.search(value) and _TERMS.search(value))


def read_as_addresses(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    short_with_number = expressions.whole(_SHORT)(values) & expressions.within(_HAS_NUMBER_OR_COMMA)(values)
    return short_with_number & expressions.within(_TERMS)(values)


DETECTOR = PatternDetector(
    entity=Entity.POSTAL_ADDRESS,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=r"[^@\n]*[\p{L}0-9][^@\n]*[ ,\n][^@\n]*[\p{L}0-9][^@\n]*(?:\n[^@]*)?",
    kinds=frozenset({Kind.TEXT}),
    check=reads_as_address,
    check_all=read_as_addresses,
    context=("address", "addr", "address line", "street", "residence", "residential", "domicile", "locality"),
    not_context=("e ?mail", "ip", "mac", "web", "url", "type", "since", "proof", "verified", "flag"),
    alone_share=0.5,
    ceiling_alone=0.9,
)
