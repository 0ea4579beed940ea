"""A place in a text where an identifier stands."""

from dataclasses import dataclass

from secure_ml.policy.labels import Entity


@dataclass(frozen=True, kw_only=True)
class Span:
    """Characters ``start`` to ``end`` (exclusive) of a text hold an ``entity``; the text itself is not kept."""

    entity: Entity
    start: int
    end: int
    score: float
