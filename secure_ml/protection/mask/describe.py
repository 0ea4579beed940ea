"""A treatment in words, for summaries, schemas and cards.

Belongs here: wording. Must stay out: behaviour.
"""

from secure_ml.policy import treatments
from secure_ml.policy.columns import ColumnPolicy
from secure_ml.policy.labels import Entity
from secure_ml.policy.treatments import (
    GeneraliseCategory,
    GeneraliseDate,
    GeneraliseGeography,
    GeneraliseNumber,
    PartialMask,
    TopBottomCode,
)

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
        case treatments.FormatPreserving():
            return "encrypted within its form"
        case treatments.DeterministicEncryption():
            return "encrypted, alike for alike values"
        case treatments.ScrubText():
            return "identifiers replaced by their kind; still personal"
        case treatments.GeneraliseDate() as spec:
            return _generalise_date(spec)
        case treatments.PartialMask() as spec:
            return _partial_mask(spec)
        case treatments.GeneraliseNumber() as spec:
            return _generalise_number(spec)
        case treatments.GeneraliseGeography() as spec:
            return _generalise_geography(spec, column.entity)
        case treatments.GeneraliseCategory() as spec:
            return _generalise_category(spec)
        case treatments.TopBottomCode() as spec:
            return _top_bottom_code(spec)
        case treatments.DateShift() as spec:
            return f"moved by up to {_count(spec.max_days, 'day')}, all dates of a subject alike"
        case treatments.Surrogate() as spec:
            invented = spec.kind_for(column.entity).replace("_", " ")
            return f"an invented {invented} for each {spec.by}"


def _generalise_category(spec: GeneraliseCategory) -> str:
    groups = len(set(spec.group_of().values()))
    return f"one of {_count(groups, 'group')}" if spec.groups else f"one of {_count(groups, 'value')}, all else as one"


def _partial_mask(spec: PartialMask) -> str:
    kept = [
        f"{side} {_count(number, 'character')}"
        for side, number in (("first", spec.keep_first), ("last", spec.keep_last))
        if number
    ]
    return f"{' and '.join(kept)} kept" if kept else "every character masked"


def _generalise_date(spec: GeneraliseDate) -> str:
    if spec.at is not None:
        bands = "age" if spec.step == 1 else f"age in bands of {spec.step} years"
        return f"{bands} on {spec.at.isoformat()}, {spec.oldest} and above as one"
    return "year only" if spec.to == "year" else f"year and {spec.to} only"


def _generalise_geography(spec: GeneraliseGeography, entity: Entity) -> str:
    if spec.decimals is not None:
        return f"degrees with {_count(spec.decimals, 'decimal')}"
    if spec.regions is not None:
        return f"one of {_count(len(spec.regions), 'region')}"
    if spec.drop_last is not None:
        return f"region (without the last {_count(spec.drop_last, 'character')})"
    kept = spec.keep_first or 0
    if entity is Entity.PIN_CODE and kept in _INDIAN_REGIONS:
        return f"{_INDIAN_REGIONS[kept]} (first {_count(kept, 'digit')})"
    return f"region (first {_count(kept, 'character')})"


def _top_bottom_code(spec: TopBottomCode) -> str:
    cut = [
        f"{side} {f'{bound:g}' if isinstance(bound, float) else bound.isoformat()}"
        for side, bound in (("below", spec.bottom), ("above", spec.top))
        if bound is not None
    ]
    return f"cut off {' and '.join(cut)}"


def _generalise_number(spec: GeneraliseNumber) -> str:
    if spec.step is not None:
        return f"rounded down to steps of {spec.step:g}"
    return f"interval among {len(spec.cuts or ()) + 1}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
