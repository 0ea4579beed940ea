"""How many different values a column has, in bounded memory.

Belongs here: the count. Must stay out: values; it sees their numbers only.
"""

import numpy as np

from secure_ml.protection.classify.cell_hashes import Hashes

EXACT_UP_TO = 4_096
"""Different values that are counted exactly; beyond them the count has a standard error of 1.6 %."""

_ALL = 2.0**64


class DistinctCount:
    """Keeps the least numbers that it has seen (Bar-Yossef et al., "Counting distinct elements", 2002)."""

    def __init__(self) -> None:
        self._least: Hashes = np.empty(0, np.uint64)
        self._full = False

    def add(self, numbers: Hashes) -> None:
        """Count the numbers of some cells; one that was seen before changes nothing."""
        new = numbers[numbers < self._least[-1]] if self._full else numbers
        if new.size:
            least = np.union1d(self._least, new)
            # One more than are counted exactly tells "so many" from "more".
            self._least, self._full = least[: EXACT_UP_TO + 1], least.size > EXACT_UP_TO

    @property
    def is_exact(self) -> bool:
        """Whether nothing was estimated."""
        return not self._full

    def value(self) -> int:
        """The number of different values: exact, or the unbiased estimate (k - 1) / u from the k-th least, in 0..1."""
        if self.is_exact:
            return int(self._least.size)
        return round((self._least.size - 1) * _ALL / float(self._least[-1]))
