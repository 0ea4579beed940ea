"""generalise_number: the lower edge of the interval that holds the number.

With `step` s the edges are the multiples of s. With `cuts` they are the cuts; the numbers below the first cut c are one
interval too, and its edge is c minus the distance of the first two cuts (c - 1 when there is only one): finite, below
every cut, and the same for all data.
"""

import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from secure_ml.policy.treatments import GeneraliseNumber as GeneraliseNumberPolicy
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated

_Floats = npt.NDArray[np.float64]
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class GeneraliseNumber(ColumnTreatment):
    """Gives finite floats; a cell that is no number becomes null and is counted."""

    reader: ColumnReader
    spec: GeneraliseNumberPolicy
    output_type: ClassVar[pa.DataType] = pa.float64()
    beside: ClassVar[tuple[str, ...]] = ()

    def apply(self, column: pa.Array) -> Treated:
        """See the class."""
        parsed = self.reader.parsed(column)
        numbers = parsed.values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        edges = lower_edges(numbers, self.spec)
        readable = np.isfinite(edges)
        values = pa.array(edges, pa.float64(), mask=~readable)
        return Treated(values, parsed.unparsed + int((np.isfinite(numbers) & ~readable).sum()))


def lower_edges(numbers: _Floats, spec: GeneraliseNumberPolicy) -> _Floats:
    """The lower edge for each number; NaN for NaN."""
    if spec.step is not None:
        with np.errstate(over="ignore", invalid="ignore"):
            ratio = numbers / spec.step
            nearest = np.rint(ratio)
            # 0.3 / 0.1 is a hair below 3: a number that stands on an edge belongs to the interval above.
            on_edge = np.abs(ratio - nearest) <= _TOLERANCE * np.maximum(1.0, np.abs(ratio))
            stepped: _Floats = np.where(on_edge, nearest, np.floor(ratio)) * spec.step + 0.0
        return stepped
    edges = _edges(spec)
    picked: _Floats = edges[np.searchsorted(edges[1:], numbers, side="right")]
    return np.where(np.isnan(numbers), np.nan, picked)


def is_generalised_number(values: pa.Array, spec: GeneraliseNumberPolicy) -> pa.Array:
    """Which numbers this treatment can have made; null where null."""
    numbers = values.to_numpy(zero_copy_only=False)
    if spec.step is None:
        return pa.array(np.isin(numbers, _edges(spec)), pa.bool_(), mask=np.isnan(numbers))
    return pa.array(lower_edges(numbers, spec) == numbers, pa.bool_(), mask=np.isnan(numbers))


def _edges(spec: GeneraliseNumberPolicy) -> _Floats:
    cuts = spec.cuts or ()
    width = cuts[1] - cuts[0] if len(cuts) > 1 else 1.0
    below = max(min(cuts[0] - width, float(np.nextafter(cuts[0], -np.inf))), -sys.float_info.max)
    return np.array([below, *cuts], dtype=np.float64)
