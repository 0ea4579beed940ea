"""Identifiers that are still to be found in masked strings.

Belongs here: the search over columns, in counts. Must stay out: patterns and check digits (classify), which scrub_text
shares: what that removes is what is looked for here.
"""

from collections import Counter
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.cells import fold
from secure_ml.protection.classify.span import Span
from secure_ml.protection.classify.text import (
    CERTAIN,
    TextPattern,
    certain_among,
    certain_patterns,
    find_broken,
    find_identifiers,
)
from secure_ml.protection.mask.canonical import canonical, has_shape
from secure_ml.protection.mask.token import is_token
from secure_ml.protection.parse import folded_text

SEARCHED = frozenset(
    {Entity.AADHAAR, Entity.PAN, Entity.EMAIL, Entity.PHONE, Entity.CARD, Entity.ACCOUNT_NUMBER, Entity.IBAN}
)
"""Direct identifiers that have a form of their own, so that finding one is no guess."""

_GAP = r"[ .()/+-]{0,3}"
# Every searched form has an @, four digits and a letter (PAN), a check number (IBAN), or eight digits close together.
_POSSIBLE = rf"@|[0-9]{{4}}[ -]?[A-Za-z]|[A-Z]{{2}}[0-9]{{2}}|(?:[0-9]{_GAP}){{8}}"
_ACCOUNT_DIGITS = 9


def residual_identifiers(texts: pa.Array, *, whole_accounts: bool, masked: bool) -> Counter[Entity]:
    """How many cells of a string column hold each kind of identifier, validated where it has check digits or a plan.

    Args:
        texts: a masked column.
        whole_accounts: whether a cell that is nothing but nine to eighteen digits is an account number; such numbers
            have no check digit, so only the declaration can tell.
        masked: whether a form with `*` in it is the work of partial_mask and no identifier.
    """
    found: Counter[Entity] = Counter()
    suspects = texts.filter(pc.and_(is_suspect(texts), pc.invert(is_token(texts))))
    for counted in pc.value_counts(suspects).to_pylist():
        text = counted["values"]
        spans = residual_spans(text)
        for entity in {s.entity for s in spans if not (masked and "*" in text[s.start : s.end])}:
            found[entity] += counted["counts"]
    if whole_accounts:
        found[Entity.ACCOUNT_NUMBER] += _whole_accounts(suspects)
    return +found


def is_suspect(texts: pa.Array) -> pa.Array:
    """Which strings may hold an identifier at all, by one expression; null where null."""
    return pc.match_substring_regex(folded_text(texts), _POSSIBLE)


def residual_spans(text: str) -> list[Span]:
    """Where a text holds what counts as a residual identifier."""
    folded = fold(text)
    # Few of the suspects hold any, and to ask every detector of all of them is dear.
    if not certain_among(_searched_patterns(), folded) and not find_broken(folded):
        return []
    return [span for span in find_identifiers(text) if span.entity in SEARCHED and span.score >= CERTAIN]


@cache
def _searched_patterns() -> tuple[TextPattern, ...]:
    return tuple(pattern for pattern in certain_patterns() if pattern.detector.entity in SEARCHED)


def _whole_accounts(texts: pa.Array) -> int:
    shaped = has_shape(texts, Entity.ACCOUNT_NUMBER)
    long_enough = pc.greater_equal(pc.utf8_length(canonical(texts, Entity.ACCOUNT_NUMBER)), _ACCOUNT_DIGITS)
    return int(pc.sum(pc.and_(shaped, long_enough)).as_py() or 0)
