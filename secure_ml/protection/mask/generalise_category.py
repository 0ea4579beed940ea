"""generalise_category: the group that the policy puts a value into."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.treatments import GeneraliseCategory as GeneraliseCategoryPolicy
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated, count_unknown
from secure_ml.protection.parse import composed_text


@dataclass(frozen=True)
class GeneraliseCategory(ColumnTreatment):
    """Gives the name of a group; a value that is in none becomes `otherwise`, or null, and is counted.

    Values are compared trimmed and in Unicode's form NFC, letter by letter: `Diploma` is not `diploma`.
    """

    reader: ColumnReader
    spec: GeneraliseCategoryPolicy
    output_type: ClassVar[pa.DataType] = pa.string()
    beside: ClassVar[tuple[str, ...]] = ()

    def apply(self, column: pa.Array) -> Treated:
        """See the class."""
        texts = self.reader.text(column)
        listed, groups = self._table
        groups_found = groups.take(pc.index_in(composed_text(texts), value_set=listed))
        known = pc.is_valid(groups_found)
        otherwise = pc.if_else(pc.is_valid(texts), pa.scalar(self.spec.otherwise, pa.string()), None)
        return Treated(pc.if_else(known, groups_found, otherwise), count_unknown(texts, known))

    @cached_property
    def _table(self) -> tuple[pa.Array, pa.Array]:
        """Each value, and its group at the same place."""
        group_of = self.spec.group_of()
        values = composed_text(pc.utf8_trim_whitespace(pa.array(list(group_of), pa.string())))
        return values, pa.array(list(group_of.values()), pa.string())


def is_generalised_category(values: pa.Array, spec: GeneraliseCategoryPolicy) -> pa.Array:
    """Which cells this treatment can have made; null where null."""
    made = {*spec.group_of().values()} | ({spec.otherwise} if spec.otherwise is not None else set())
    return pc.if_else(pc.is_valid(values), pc.is_in(values, value_set=pa.array(sorted(made), pa.string())), None)
