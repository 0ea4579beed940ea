"""The rows of the test side as an assessment sees them: outcome, score, token of the subject, period, groups.

Belongs here: their shape and its checks. Must stay out: where they come from, and any figure over them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.records import Booleans, Floats, Integers


@dataclass(frozen=True, eq=False, repr=False)
class Scored:
    """Rows that a model has scored.

    Attributes:
        label: (rows,) the true outcome.
        score: (rows,) the model's probability of a positive outcome, in [0, 1].
        subject: (rows,) token of the subject, or None where every row is a subject of its own.
        period: (rows,) key of the partition that the row came from.
        groups: for each protected attribute, (rows,) the name of the row's group; missing is "unknown".
    """

    label: Booleans
    score: Floats
    subject: npt.NDArray[np.object_] | None
    period: npt.NDArray[np.str_]
    groups: Mapping[str, npt.NDArray[np.str_]]

    def __post_init__(self) -> None:
        rows = len(self.label)
        columns = [self.score, self.period, *self.groups.values()]
        if self.subject is not None:
            columns.append(self.subject)
        if any(column.ndim != 1 or len(column) != rows for column in [self.label, *columns]):
            raise AssessmentError("label, score, subject, period and groups need one entry for each row")
        if rows == 0:
            raise AssessmentError("there is no row to assess; check that the test side is not empty")
        if self.label.dtype != np.bool_:
            raise AssessmentError("label must be an array of booleans; compare it with the positive value first")
        inside = np.isfinite(self.score) & (self.score >= 0) & (self.score <= 1)
        if not inside.all():
            raise AssessmentError(
                f"{int((~inside).sum())} scores are not probabilities in [0, 1]; check the model's output"
            )

    def __repr__(self) -> str:
        return f"Scored({len(self.label)} rows)"

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.label)

    @property
    def predicted(self) -> Booleans:
        """The decision at the threshold 0.5."""
        return self.score >= 0.5

    @cached_property
    def subject_codes(self) -> Integers:
        """(rows,) subjects as numbers from 0; a row without a token is a subject of its own."""
        if self.subject is None:
            return np.arange(self.rows, dtype=np.int64)
        try:
            encoded = pa.array(self.subject, from_pandas=True).dictionary_encode()
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            # Arrow's message quotes the cell.
            raise AssessmentError("subject tokens must all be of one type; pass them as texts") from None
        codes: Integers = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        absent = codes < 0
        codes[absent] = len(encoded.dictionary) + np.arange(int(absent.sum()))
        return codes

    def only(self, rows: Booleans) -> "Scored":
        """The rows where `rows` is true."""
        return Scored(
            self.label[rows],
            self.score[rows],
            None if self.subject is None else self.subject[rows],
            self.period[rows],
            {name: column[rows] for name, column in self.groups.items()},
        )
