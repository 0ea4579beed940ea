"""The port that every treatment fills, and how it reads its raw column.

Belongs here: the port, reading, counting of cells that cannot be read. Must stay out: any single treatment.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnPolicy, ColumnType
from secure_ml.protection.mask.canonical import has_shape
from secure_ml.protection.parse import Parsed, as_text, parse, parse_text

REDACTED = "[REDACTED]"
"""What stands for a value of which only its presence is left."""


class MaskingError(Exception):
    """Raw data that cannot be masked as the policy says; the text names columns, never a cell."""


@dataclass(frozen=True)
class Treated:
    """A treated column.

    Attributes:
        values: of the treatment's output type, as long as its input; null where the cell was missing.
        unknown: cells that were present but are not what the policy declares. Their treated form says nothing of them.
    """

    values: pa.Array
    unknown: int


class ColumnTreatment(Protocol):
    """What is done to one column. Its output keeps the label of its input unless the class is a declassifier's."""

    @property
    def output_type(self) -> pa.DataType:
        """Arrow type of what it makes."""

    @property
    def beside(self) -> tuple[str, ...]:
        """Other columns that it needs to see, in the order of `apply`."""

    def apply(self, column: pa.Array, *beside: pa.Array) -> Treated:
        """Treats the cells of a batch. Its result for a cell depends on that cell's row only."""

    def treat(self, *columns: pa.Array, name: str, counts: Counter[str]) -> pa.Array:
        """What `apply` makes of the column `name`; its unknown cells are added to `counts`.

        Raises:
            MaskingError: a library refused a cell.
        """
        try:
            treated = self.apply(*columns)
        except pa.ArrowException as error:
            # Arrow quotes the cell that it could not convert.
            kind = type(error).__name__
        else:
            counts[f"unknown.{name}"] += treated.unknown
            return treated.values
        raise MaskingError(f"column {name} cannot be treated ({kind}): correct its type or treatment in the policy")


@runtime_checkable
class Reversible(ColumnTreatment, Protocol):
    """A treatment that can be undone under its key."""

    def invert(self, values: pa.Array) -> pa.Array:
        """The values behind cells that it made, as text; null where a cell is none that it can have made."""


@dataclass(frozen=True)
class ColumnReader:
    """Reads raw cells as the policy declares them.

    Attributes:
        policy: the column's declaration.
        missing: texts that mean missing.
    """

    policy: ColumnPolicy
    missing: tuple[str, ...]

    def text(self, column: pa.Array) -> pa.Array:
        """The cells as trimmed strings."""
        return as_text(column, missing=self.missing)

    def parsed(self, column: pa.Array) -> Parsed:
        """The cells as the declared type."""
        return parse(column, self.policy.type, missing=self.missing)

    def known(self, texts: pa.Array) -> pa.Array:
        """Which texts are what the policy declares: of its type, and of its entity's shape if it has one. No null."""
        known = pc.is_valid(texts)
        if self.policy.type is not ColumnType.STRING:
            known = pc.and_(known, pc.is_valid(parse_text(texts, self.policy.type)))
        shape = has_shape(texts, self.policy.entity)
        return known if shape is None else pc.and_(known, pc.fill_null(shape, False))


def count_unknown(texts: pa.Array, known: pa.Array) -> int:
    """How many cells are present but not known."""
    present, sure = len(texts) - texts.null_count, pc.sum(known).as_py() or 0
    return int(present - sure)
