"""What every benchmark prints: a table for people, and as its last line one JSON object for programs.

Belongs here: the common shape. Must stay out: measuring.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TextIO


@dataclass(frozen=True)
class Result:
    """A claim, and what one run of its benchmark measured.

    Attributes:
        claim: what is claimed, in one sentence.
        ours: the measured figure.
        peer: what it is held against, measured in the same run.
        unit: of both figures.
        ratio: ours to peer.
        goal: the bound, in words or as the number that the ratio is held against.
        holds: whether the claim holds.
        more: further figures, by name.
    """

    claim: str
    ours: float
    peer: float
    unit: str
    ratio: float
    goal: float | str
    holds: bool
    more: Mapping[str, float | int | str] = field(default_factory=dict)


def at_most(claim: str, *, ours: float, peer: float, unit: str, goal: float, **more: float | int | str) -> Result:
    """The result of a claim that ours costs at most `goal` times the peer."""
    ratio = ours / peer
    return Result(claim, round(ours, 4), round(peer, 4), unit, round(ratio, 4), goal, ratio <= goal, more)


def report(result: Result, *, header: Sequence[str], rows: Sequence[Sequence[str]], out: TextIO = sys.stdout) -> int:
    """Prints the table and the closing line; returns the exit code, 0 when the claim holds."""
    for line in _aligned([header, *rows]):
        print(line, file=out)
    print(f"{result.claim}: {'holds' if result.holds else 'DOES NOT HOLD'}", file=out)
    content = asdict(result)
    more = content.pop("more")
    print(json.dumps({**content, **more}), file=out)
    return 0 if result.holds else 1


def skip(claim: str, *, reason: str, out: TextIO = sys.stdout) -> int:
    """Says that nothing was measured, and why, in the shape of a result without figures; returns 0."""
    print(f"skipped: {reason}", file=out)
    figures = dict.fromkeys(f.name for f in fields(Result) if f.name not in {"claim", "more"})
    print(json.dumps({"claim": claim, **figures, "skipped": reason}), file=out)
    return 0


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """The first column left, the others right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in table
    ]
