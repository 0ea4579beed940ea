"""Features as small integer codes, by the policy's bins and categories alone.

Belongs here: the record-wise step before a private estimator. Must stay out: anything that looks at more than one row;
a bound or category list read from the data would void the guarantee.

Every feature has a code for every possible cell: its intervals or categories, then `other` (text only), then `missing`.
A row is thus a one-hot vector with exactly one 1 for each feature and the intercept: its norm is a public constant.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from secure_ml.policy.treatments import Feature
from secure_ml.training.errors import TrainingError

OTHER, MISSING = "other", "missing"


@dataclass(frozen=True)
class FeatureEncoding:
    """One feature's codes. Exactly one of `bins` and `categories` is given.

    Attributes:
        name: the column.
        bins: cut points; code i holds the numbers in [bins[i-1], bins[i]).
        categories: the declared values; any other is `other`.
    """

    name: str
    bins: tuple[float, ...] | None
    categories: tuple[str, ...] | None

    @property
    def levels(self) -> tuple[str, ...]:
        """What each code stands for, for people."""
        if self.categories is not None:
            return (*self.categories, OTHER, MISSING)
        edges = [f"{edge:g}" for edge in self.bins or ()]
        between = [f"{low} to {high}" for low, high in itertools.pairwise(edges)]
        return (f"below {edges[0]}", *between, f"{edges[-1]} and more", MISSING)

    def encode(self, column: pa.Array) -> NDArray[np.int64]:
        """The code of every cell.

        Raises:
            TrainingError: bins are declared for a column that holds no numbers.
        """
        if self.categories is not None:
            texts = column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
            position = pc.fill_null(pc.index_in(texts, pa.array(self.categories, pa.string())), len(self.categories))
            codes = pc.if_else(pc.is_null(texts), len(self.categories) + 1, position)
            return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise TrainingError(f"the feature {self.name!r} has bins but holds {column.type}; declare categories")
        numbers = np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
        codes = np.digitize(numbers, np.asarray(self.bins, dtype=np.float64))
        codes[np.isnan(numbers)] = len(self.bins or ()) + 1
        return codes.astype(np.int64)


@dataclass(frozen=True)
class Encoding:
    """All features' codes, numbered through, so that one row of k features is k integers."""

    features: tuple[FeatureEncoding, ...]

    @classmethod
    def of(cls, features: Mapping[str, Feature]) -> "Encoding":
        """The encoding that the policy's features declare.

        Raises:
            TrainingError: a feature declares neither bins nor categories.
        """
        for name, feature in features.items():
            if feature.bins is None and feature.categories is None:
                raise TrainingError(f"the feature {name!r} needs bins or categories in the policy for private training")
        return cls(tuple(FeatureEncoding(name, f.bins, f.categories) for name, f in features.items()))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def offsets(self) -> tuple[int, ...]:
        """The first number of each feature's codes."""
        sizes = [0, *(len(feature.levels) for feature in self.features)]
        return tuple(int(offset) for offset in np.cumsum(sizes)[:-1])

    @property
    def width(self) -> int:
        """Count of numbers: all codes of all features, without the intercept."""
        return sum(len(feature.levels) for feature in self.features)

    @property
    def row_norm_squared(self) -> int:
        """Squared norm of every row's one-hot vector: one for each feature, one for the intercept."""
        return len(self.features) + 1

    def encode(self, batch: pa.RecordBatch) -> NDArray[np.int32]:
        """Features x rows: the codes, numbered through.

        Raises:
            TrainingError: a column is missing, or has bins but no numbers.
        """
        absent = [name for name in self.names if name not in batch.schema.names]
        if absent:
            raise TrainingError(f"these features are not in the table: {', '.join(absent)}")
        rows = [
            feature.encode(batch.column(feature.name)) + offset
            for feature, offset in zip(self.features, self.offsets, strict=True)
        ]
        return np.asarray(rows, dtype=np.int32).reshape(len(rows), batch.num_rows)

    def to_json(self) -> list[dict[str, object]]:
        """The encoding as JSON values."""
        return [{"name": f.name, "bins": _listed(f.bins), "categories": _listed(f.categories)} for f in self.features]

    @classmethod
    def from_json(cls, value: Sequence[Mapping[str, object]]) -> "Encoding":
        """The inverse of `to_json`."""
        return cls(tuple(FeatureEncoding(str(v["name"]), _numbers(v["bins"]), _words(v["categories"])) for v in value))


def _listed(values: Sequence[object] | None) -> list[object] | None:
    return None if values is None else list(values)


def _numbers(value: object) -> tuple[float, ...] | None:
    return tuple(float(v) for v in value) if isinstance(value, list) else None


def _words(value: object) -> tuple[str, ...] | None:
    return tuple(str(v) for v in value) if isinstance(value, list) else None
