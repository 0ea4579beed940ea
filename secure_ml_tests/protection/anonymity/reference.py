"""Anonymity the slow way: one Python dictionary a class, from the definitions, to hold the fast code against."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def classes(rows: Sequence[Row], quasi: Sequence[str], subject: str | None) -> dict[tuple[Any, ...], set[Any]]:
    """The subjects of each combination."""
    found: dict[tuple[Any, ...], set[Any]] = {}
    for number, row in enumerate(rows):
        who = number if subject is None else row[subject]
        found.setdefault(tuple(row[name] for name in quasi), set()).add(who)
    return found


def members(rows: Sequence[Row], quasi: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """The rows of each combination."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in quasi), []).append(row)
    return found


def spread(
    rows: Sequence[Row], quasi: Sequence[str], value: str, subject: str | None
) -> tuple[list[dict[Any, float]], dict[Any, float]]:
    """The share of each value in each class, by the subjects who have it; and in all classes together."""
    counts = []
    for piece in members(rows, quasi).values():
        holders: dict[Any, set[Any]] = {}
        for number, row in enumerate(piece):
            holders.setdefault(row[value], set()).add(number if subject is None else row[subject])
        counts.append({held: len(people) for held, people in holders.items()})
    whole: dict[Any, int] = {}
    for count in counts:
        for held, number in count.items():
            whole[held] = whole.get(held, 0) + number
    return [_shares(count) for count in counts], _shares(whole)


def _shares(counts: Mapping[Any, int]) -> dict[Any, float]:
    total = sum(counts.values())
    return {value: number / total for value, number in counts.items()}


def entropy(share: Mapping[Any, float]) -> float:
    return math.exp(-sum(p * math.log(p) for p in share.values()))


def total_variation(one: Mapping[Any, float], other: Mapping[Any, float]) -> float:
    return sum(abs(one.get(value, 0) - other.get(value, 0)) for value in {*one, *other}) / 2


def ordered_distance(one: Mapping[Any, float], other: Mapping[Any, float]) -> float:
    """Numbers are moved among numbers as far as both have them, and the rest the whole way to what is missing."""
    here, there = 1 - one.get(None, 0), 1 - other.get(None, 0)
    numbers = [
        {value: p / held for value, p in share.items() if value is not None}
        for share, held in ((one, here), (other, there))
    ]
    apart = _moved(*numbers) if min(here, there) > 1e-12 else 0.0
    return min(here, there) * apart + abs(here - there)


def _moved(one: Mapping[Any, float], other: Mapping[Any, float]) -> float:
    values = sorted({*one, *other})
    moved, carried = 0.0, 0.0
    for value in values[:-1]:
        carried += one.get(value, 0) - other.get(value, 0)
        moved += abs(carried)
    return moved / (len(values) - 1) if len(values) > 1 else 0.0
