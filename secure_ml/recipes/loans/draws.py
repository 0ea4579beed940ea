"""Repeatable draws: every random choice is a function of the seed, a name and the number of a person or an application.

Belongs here: counter-based uniform, normal and categorical draws, and one-to-one scattering of numbers. Must stay out:
what is drawn. Nothing here is fit for cryptography or for privacy noise.

A stateful generator would tie a row to all rows before it. Here any block of rows, and any person who returns in a
later month, can be made alone, in any order and in bounded memory.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Indices = NDArray[np.int64]
Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]
Dates = NDArray[np.datetime64]

_FEISTEL_ROUNDS = 4


def _mix(values: Numbers) -> Numbers:
    """Spread 64-bit values by the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@dataclass(frozen=True)
class Draws:
    """Draws for a run of numbered things, say persons or applications.

    Attributes:
        seed: The seed of the whole table.
        unit: What is numbered; two units with the same numbers draw apart.
        numbers: One number a row, shape (n,), uint64.
    """

    seed: int
    unit: str
    numbers: Numbers

    def _key(self, name: str) -> np.uint64:
        digest = hashlib.blake2b(f"{self.seed}/{self.unit}/{name}".encode(), digest_size=8).digest()
        return np.uint64(int.from_bytes(digest, "big"))

    def uniform(self, name: str) -> Reals:
        """Real numbers in [0, 1), one a row."""
        bits = _mix(_mix(self.numbers + np.uint64(0x9E3779B97F4A7C15)) ^ self._key(name))
        return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def normal(self, name: str) -> Reals:
        """Standard normal numbers, one a row (Box and Muller)."""
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(f"{name}/radius")))
        return np.asarray(radius * np.cos(2.0 * np.pi * self.uniform(f"{name}/angle")), dtype=np.float64)

    def chance(self, name: str, probability: float) -> Flags:
        """True with the given probability."""
        return self.uniform(name) < probability

    def integers(self, name: str, low: int, high: int) -> Indices:
        """Whole numbers in [low, high), 0 <= low < high."""
        return np.asarray(np.floor(low + self.uniform(name) * (high - low)), dtype=np.int64)

    def pick(self, name: str, weights: Sequence[float]) -> Indices:
        """Positions in `weights`, each as likely as its share of their sum."""
        edges = np.cumsum(np.asarray(weights, dtype=np.float64))
        found = np.searchsorted(edges, self.uniform(name) * edges[-1], side="right")
        return np.asarray(np.minimum(found, len(edges) - 1), dtype=np.int64)

    def scatter(self, name: str, left: int, right: int) -> Indices:
        """Map the numbers one-to-one into [0, left * right), so that distinct persons get distinct identifiers.

        A Feistel network over two residues. Numbers must lie below left * right.
        """
        high, low = self.numbers // np.uint64(right), self.numbers % np.uint64(right)
        for turn in range(0, _FEISTEL_ROUNDS, 2):
            high = (high + _mix(low ^ self._key(f"{name}/{turn}")) % np.uint64(left)) % np.uint64(left)
            low = (low + _mix(high ^ self._key(f"{name}/{turn + 1}")) % np.uint64(right)) % np.uint64(right)
        return (high * np.uint64(right) + low).astype(np.int64)
