"""Postal addresses: words of streets and settlements, or anything of several parts under a name that says address."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

_TERMS = re.compile(
    r"(?i)\b(?:road|rd|street|st|nagar|marg|sector|colony|layout|lane|avenue|ave|drive|boulevard|blvd|apartments?|apt"
    r"|flat|plot|house no|h\.? ?no|door no|floor|block|society|enclave|vihar|puram|pura|gali|chowk|bazaa?r|extension"
    r"|extn|phase|cross|near|opp|opposite|village|taluka?|tehsil|district|dist|p\.?o\.?|building|bldg|towers?|residency"
    r"|circle|salai|theru|bagh|ganj|wadi|suite|court|plaza|highway|terrace|close)\b"
)
_HAS_NUMBER_OR_COMMA = re.compile(r"[0-9,]")


def reads_as_address(value: str) -> bool:
    """Say whether a word of addresses and a number or comma stand in the value, and it is no long prose."""
    return len(value) <= 200 and bool(_HAS_NUMBER_OR_COMMA.search(value)) and bool(_TERMS.search(value))


DETECTOR = PatternDetector(
    entity=Entity.POSTAL_ADDRESS,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=r"[^@\n]*[\p{L}0-9][^@\n]*[ ,\n][^@\n]*[\p{L}0-9][^@\n]*(?:\n[^@]*)?",
    kinds=frozenset({Kind.TEXT}),
    check=reads_as_address,
    context=("address", "addr", "address line", "street", "residence", "residential", "domicile", "locality"),
    not_context=("e ?mail", "ip", "mac", "web", "url", "type", "since", "proof", "verified", "flag"),
    alone_share=0.5,
    ceiling_alone=0.9,
)
