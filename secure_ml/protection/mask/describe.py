"""A treatment in words, for summaries, schemas and cards.

Belongs here: wording. Must stay out: behaviour.
"""

from secure_ml.policy import treatments
from secure_ml.policy.columns import ColumnPolicy
from secure_ml.policy.labels import Entity
from secure_ml.policy.treatments import GeneraliseNumber, PartialMask

_INDIAN_REGIONS = {1: "postal region", 2: "postal circle", 3: "district"}


def describe_treatment(column: ColumnPolicy) -> str:
    """What is done to a column, such as "keyed token" or "district (first 3 digits)"."""
    match column.treatment:
        case treatments.Keep():
            return f"kept as {column.type.value}"
        case treatments.Drop():
            return "dropped"
        case treatments.Redact():
            return "redacted"
        case treatments.Token():
            return "keyed token"
        case treatments.ScrubText():
            return "identifiers in the text replaced by their kind"
        case treatments.GeneraliseDate() as spec:
            return "year only" if spec.to == "year" else "year and month only"
        case treatments.PartialMask() as spec:
            return _partial_mask(spec)
        case treatments.GeneraliseNumber() as spec:
            return _generalise_number(spec)
        case treatments.GeneraliseGeography() as spec:
            if column.entity is Entity.PIN_CODE and spec.keep_first in _INDIAN_REGIONS:
                return f"{_INDIAN_REGIONS[spec.keep_first]} (first {_count(spec.keep_first, 'digit')})"
            return f"region (first {_count(spec.keep_first, 'character')})"


def _partial_mask(spec: PartialMask) -> str:
    kept = [
        f"{side} {_count(number, 'character')}"
        for side, number in (("first", spec.keep_first), ("last", spec.keep_last))
        if number
    ]
    return f"{' and '.join(kept)} kept" if kept else "every character masked"


def _generalise_number(spec: GeneraliseNumber) -> str:
    if spec.step is not None:
        return f"rounded down to steps of {spec.step:g}"
    return f"interval among {len(spec.cuts or ()) + 1}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
