"""Who each row is about, so that "held by so many" counts people and not rows.

Belongs here: the person behind a row, as a number. Must stay out: what is counted.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.protection.parse import as_text

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

Hashes = npt.NDArray[np.uint64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class People:
    """Tells people apart by a column, or, without one, takes every row for a person.

    Attributes:
        column: the column that is the same in every row of a person.
        missing: texts that mean missing.
    """

    column: str | None
    missing: tuple[str, ...]

    def of(self, batch: pa.RecordBatch, *, first_row: int) -> tuple[Hashes, Booleans]:
        """A number for each row's person, and which rows have one; a row of nobody counts for nobody.

        The numbers only choose a sample and tell people apart; they are neither secret nor kept.

        Args:
            batch: rows.
            first_row: how many rows came before.
        """
        if self.column is None:
            rows = np.arange(first_row, first_row + batch.num_rows, dtype=np.uint64)
            # An odd factor modulo 2^64 gives different numbers to different rows, evenly spread.
            return rows * _GOLDEN, np.ones(batch.num_rows, np.bool_)
        return _hashed(as_text(batch.column(self.column), missing=self.missing))


def _hashed(texts: pa.Array) -> tuple[Hashes, Booleans]:
    from pandas.util import hash_array

    encoded = texts.dictionary_encode()
    words = np.asarray(encoded.dictionary.to_pylist() or [""], dtype=object)
    numbers = hash_array(words, categorize=False)
    present = np.asarray(pc.is_valid(texts).to_numpy(zero_copy_only=False), dtype=np.bool_)
    index = pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)
    return numbers[index], present
