"""Postal addresses: words of streets and settlements, or anything of several parts under a name that says address."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

# Words of hardly anything else; those below are words of every day too, of which one with a number says little.
_TELLING = (
    r"road|rd|street|nagar|marg|colony|lane|avenue|ave|boulevard|blvd|apartments?|apt|house no|h\.? ?no|door no|enclave"
    r"|vihar|puram|pura|gali|chowk|bazaa?r|taluka?|tehsil|p\.?o\.?|bldg|residency|salai|theru|bagh|ganj|wadi|plaza"
    r"|highway|terrace"
)
_WEAK = (
    r"st|sector|layout|drive|flat|plot|floor|block|society|extension|extn|phase|cross|near|opp|opposite|village|district"
    r"|dist|building|towers?|circle|suite|court|close"
)
_CODE = r"[1-9][0-9]{2} ?[0-9]{3}|[A-Z]{2} [0-9]{5}(?:-[0-9]{4})?|[A-Z]{1,2}[0-9][A-Z0-9]? [0-9][A-Z]{2}"
_READS = re.compile(
    rf"\b(?:{_TELLING})\b|(?:stra[^ ]{{1,2}}e|str\.|gasse|allee|weg|platz) [0-9]|\b(?:rue|chemin|via|calle|rua)\b"
    rf"|^(?:studio |flat )?[0-9][^,\n]*[,\n].*[a-z]{{3,}}.*(?:{_CODE})$"
    rf"|\b(?:{_WEAK})\b.*\b(?:{_CODE})\b"
    r"|^[0-9]{1,5}[A-Z]?,? (?:[A-Z][a-z]+ ){1,3}(?:St|Drive|Circle|Court|Close)\b",
    re.IGNORECASE | re.DOTALL,
)
_TWO_WEAK = re.compile(rf"\b(?:{_WEAK})\b.*\b(?:{_WEAK})\b", re.IGNORECASE | re.DOTALL)
_WORDY = re.compile(r"(?:[A-Za-z]{3,}[^A-Za-z]+){3}[A-Za-z]{3}")
_SHORT = re.compile(r".{0,200}", re.DOTALL)
_HAS_NUMBER_OR_COMMA = re.compile(r"[0-9,]")


def reads_as_address(value: str) -> bool:
    """Say whether it holds a number or comma and reads as an address, and is no long prose.

    A word of addresses is enough, or a number at first and a postal code at last; a word of every day needs a postal
    code after it, another such word among four words or more, or a house's number and a name before it.
    """
    if not (_SHORT.fullmatch(value) and _HAS_NUMBER_OR_COMMA.search(value)):
        return False
    return bool(_READS.search(value) or (_TWO_WEAK.search(value) and _WORDY.search(value)))


def read_as_addresses(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    short_with_number = expressions.whole(_SHORT)(values) & expressions.within(_HAS_NUMBER_OR_COMMA)(values)
    two_weak = expressions.within(_TWO_WEAK)(values) & expressions.within(_WORDY)(values)
    return short_with_number & (expressions.within(_READS)(values) | two_weak)


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
    # Addresses of people differ; few different ones are floors and phases.
    alone_distinct_share=0.02,
    ceiling_alone=0.9,
)
