"""The one place of small-cell rules: which cells of a table may be shown, and which must be hidden with them.

Belongs here: primary and complementary suppression over counts. Must stay out: what the cells mean.

The rules are those of statistical offices (Hundepool et al., "Statistical Disclosure Control", 2012, ch. 4): a cell
over too few people is hidden (primary), and where a reader who knows the table's total could find what is hidden by
subtraction, the smallest shown cells are hidden too (complementary) until what is hidden is together large enough.
"""

from dataclasses import dataclass

import numpy as np

from secure_ml.assessment.records import Booleans, Integers
from secure_ml.assessment.scored import Scored
from secure_ml.policy.gates import DisclosureControl


@dataclass(frozen=True)
class Cells:
    """Distinct subjects behind each cell of a table whose cells share out all rows.

    Attributes:
        subjects: (cells,) subjects with a row in the cell.
        positives: (cells,) those with a positive outcome there.
        negatives: (cells,) those with a negative one.
    """

    subjects: Integers
    positives: Integers
    negatives: Integers


@dataclass(frozen=True)
class Suppression:
    """Which cells are hidden.

    Attributes:
        primary: (cells,) too small themselves.
        complementary: (cells,) large enough, hidden so that no small one is found by subtraction.
    """

    primary: Booleans
    complementary: Booleans

    @property
    def hidden(self) -> Booleans:
        """(cells,) hidden for either reason."""
        return self.primary | self.complementary


def count_cells(scored: Scored, cell: Integers, *, cells: int) -> Cells:
    """Counts the distinct subjects of each cell.

    Args:
        scored: the rows.
        cell: (rows,) number of each row's cell, 0 <= cell < cells.
        cells: how many cells there are.
    """
    return Cells(
        _distinct(scored, cell, np.ones(scored.rows, np.bool_), cells),
        _distinct(scored, cell, scored.label, cells),
        _distinct(scored, cell, ~scored.label, cells),
    )


def small(cells: Cells, *, control: DisclosureControl) -> Booleans:
    """(cells,) whether a rate over the cell would rest on too few subjects, or on too few of one outcome.

    Negatives are held to the same bound as positives: a false-positive rate over one negative is what the model
    decided about that person.
    """
    return (
        (cells.subjects < control.minimum_cell)
        | (cells.positives < control.minimum_positives)
        | (cells.negatives < control.minimum_positives)
    )


def suppress(cells: Cells, *, control: DisclosureControl) -> Suppression:
    """Decides which cells of a one-way table, whose total is known, are hidden."""
    primary = small(cells, control=control)
    hidden = primary.copy()
    for candidate in np.argsort(cells.subjects, kind="stable"):
        if not hidden.any() or _safe_together(cells, hidden, control):
            break
        hidden[candidate] = True
    return Suppression(primary, hidden & ~primary)


def suppress_cross_table(scored: Scored, cell: Integers, *, cells: int, control: DisclosureControl) -> bool:
    """Whether a two-by-two table, whose margins are known, is hidden: one known cell would give the other three."""
    counts = _distinct(scored, cell, np.ones(scored.rows, np.bool_), cells)
    return bool((counts < control.minimum_cell).any())


def _safe_together(cells: Cells, hidden: Booleans, control: DisclosureControl) -> bool:
    pooled = Cells(*(np.array([counts[hidden].sum()]) for counts in (cells.subjects, cells.positives, cells.negatives)))
    return int(hidden.sum()) > 1 and not small(pooled, control=control)[0]


def _distinct(scored: Scored, cell: Integers, rows: Booleans, cells: int) -> Integers:
    stride = int(scored.subject_codes.max()) + 1
    pairs = np.unique(cell[rows] * stride + scored.subject_codes[rows])
    return np.bincount(pairs // stride, minlength=cells).astype(np.int64)
