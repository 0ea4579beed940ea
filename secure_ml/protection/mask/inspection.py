"""Inspection: what the checks on `masked` ask, answered in one pass, in counts.

Belongs here: the questions. Must stay out: whether a failure blocks, and where the answers are kept.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnPolicy
from secure_ml.policy.labels import Entity
from secure_ml.policy.project import Policy
from secure_ml.policy.treatments import DeterministicEncryption, FormatPreserving, Surrogate
from secure_ml.protection.anonymity.counting import Classes, class_counter
from secure_ml.protection.mask.deterministic_encryption import is_encrypted
from secure_ml.protection.mask.format_preserving import may_be_ciphertext
from secure_ml.protection.mask.forms import count_untreated
from secure_ml.protection.mask.plan import Plan, plan_without_keys
from secure_ml.protection.mask.residual import residual_identifiers
from secure_ml.protection.mask.surrogate import is_surrogate
from secure_ml.protection.parse import is_text
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.labels import Label


@dataclass(frozen=True)
class Inspection:
    """What a masked table was found to be. Holds names of columns and counts, never a cell.

    Attributes:
        rows: rows read.
        absent: columns that the policy lets through and that are not there.
        surplus: columns that are there and that the policy does not let through.
        wrong_type: columns whose type is not what their treatment makes.
        under_labelled: columns whose label claims less than their treatment leaves.
        over_identifiable: columns whose label points closer to a person than their treatment allows.
        untreated: by column, cells that its treatment cannot have made; only columns that have any.
        residual: by column and entity, cells in which an identifier was found; only those that have any.
        classes: the classes of its quasi-identifiers; None where the policy asks for no anonymity, or a column that
            makes them is absent.
    """

    rows: int
    absent: tuple[str, ...]
    surplus: tuple[str, ...]
    wrong_type: tuple[str, ...]
    under_labelled: tuple[str, ...]
    over_identifiable: tuple[str, ...]
    untreated: Mapping[str, int]
    residual: Mapping[str, Mapping[Entity, int]]
    classes: Classes | None = None

    @property
    def questions(self) -> Mapping[str, bool]:
        """Each question with whether it passed."""
        return {
            "minimisation": not (self.absent or self.surplus or self.wrong_type),
            "labels": not (self.under_labelled or self.over_identifiable),
            "treatments": not self.untreated,
            "residual_identifiers": not self.residual,
        }

    @property
    def passed(self) -> bool:
        """Whether every question passed."""
        return all(self.questions.values())


def inspect(masked: Dataset, policy: Policy) -> Inspection:
    """Looks at every cell of a masked table once.

    Args:
        masked: the table.
        policy: the policy by which it claims to have been masked.
    """
    plan = plan_without_keys(policy)
    expected = plan.labels(policy)
    shared = [name for name in masked.schema.names if name in expected]
    over = [n for n in shared if _rank(masked.labels[n]) > _rank(expected[n])]
    tally = _Tally(policy, plan)
    counter = None if policy.anonymity is None else class_counter(policy, policy.anonymity)
    if counter is not None and not set(counter.reads) <= set(masked.schema.names):
        counter = None
    for batch in masked.scan():
        tally.look(batch)
        if counter is not None:
            counter.add(batch)
    return Inspection(
        rows=tally.rows,
        absent=tuple(name for name in expected if name not in masked.labels),
        surplus=tuple(name for name in masked.schema.names if name not in expected),
        wrong_type=tuple(n for n in shared if masked.schema.field(n).type != plan.schema.field(n).type),
        under_labelled=tuple(name for name in shared if not masked.labels[name].covers(expected[name])),
        over_identifiable=tuple(over),
        untreated=MappingProxyType(dict(+tally.untreated)),
        residual=MappingProxyType({n: MappingProxyType(dict(found)) for n, found in tally.residual.items() if found}),
        classes=None if counter is None else counter.classes()[0],
    )


class _Tally:
    """Counts of one pass."""

    def __init__(self, policy: Policy, plan: Plan) -> None:
        self.rows = 0
        self.untreated: Counter[str] = Counter()
        self.residual: dict[str, Counter[Entity]] = {}
        self._policy = policy
        self._schema = plan.schema

    def look(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            planned = self._schema.get_field_index(name) >= 0
            if planned and values.type == self._schema.field(name).type:
                column = self._policy.columns[name]
                self.untreated[name] += count_untreated(values, column.treatment, column.entity)
            if is_text(values.type):
                self._search(name, values)

    def _search(self, name: str, values: pa.Array) -> None:
        column = self._policy.columns.get(name)
        found = residual_identifiers(
            _without_invented(values.cast(pa.string()), column),
            whole_accounts=column is not None and column.entity is Entity.ACCOUNT_NUMBER,
            masked=column is not None and column.treatment.kind == "partial_mask",
        )
        if column is not None and column.override is not None and column.treatment.kind == "keep":
            # A number that is none of the kind that it looks like; what scrub_text leaves is another matter.
            del found[column.override.entity]
        self.residual.setdefault(name, Counter()).update(found)


def _without_invented(texts: pa.Array, column: ColumnPolicy | None) -> pa.Array:
    """The cells without those that a surrogate or a ciphertext can be: they look like identifiers, and are nobody's."""
    invented = None if column is None else _invented(texts, column)
    return texts if invented is None else texts.filter(pc.invert(invented))


def _invented(texts: pa.Array, column: ColumnPolicy) -> pa.Array | None:
    match column.treatment:
        case Surrogate() as spec:
            kind = spec.kind_for(column.entity)
            return None if kind == "date_of_birth" else is_surrogate(texts, kind, spec.locale)
        case FormatPreserving() as spec:
            return may_be_ciphertext(texts, spec, column.entity)
        case DeterministicEncryption():
            return is_encrypted(texts)
        case _:
            return None


def _rank(label: Label) -> int:
    return label.identifiability.rank
