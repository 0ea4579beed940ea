"""Which treatment each column gets, from the policy; and what labels and types that leaves.

Belongs here: the mapping from declaration to treatment, and what follows from it without data. Must stay out: data.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from secure_ml.policy import treatments
from secure_ml.policy.columns import ColumnPolicy
from secure_ml.policy.labels import Entity
from secure_ml.policy.project import Policy
from secure_ml.protection.mask.date_shift import DATE_SHIFT_PURPOSE, DateShift
from secure_ml.protection.mask.deterministic_encryption import DeterministicEncryption, encryption_purpose
from secure_ml.protection.mask.format_preserving import FormatPreserving, format_purpose
from secure_ml.protection.mask.generalise_category import GeneraliseCategory
from secure_ml.protection.mask.generalise_date import GeneraliseDate
from secure_ml.protection.mask.generalise_geography import GeneraliseGeography
from secure_ml.protection.mask.generalise_number import GeneraliseNumber
from secure_ml.protection.mask.keep import Keep
from secure_ml.protection.mask.keyed_choice import KeyedChoice
from secure_ml.protection.mask.partial_mask import PartialMask
from secure_ml.protection.mask.redact import Redact
from secure_ml.protection.mask.scrub_text import ScrubText
from secure_ml.protection.mask.surrogate import Surrogate, surrogate_purpose
from secure_ml.protection.mask.target_label import Outcome
from secure_ml.protection.mask.token import NO_SUBJECT_PURPOSE, SUBJECT_PURPOSE, Token, token_purpose
from secure_ml.protection.mask.top_bottom_code import TopBottomCode
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment
from secure_ml.vault.dataset import Output
from secure_ml.vault.labels import Label, declared_label, declassifier_of, declassify, join

KeyFor = Callable[[str], bytes]
"""Gives the 32 secret bytes of a purpose such as "token:phone", always the same within a project."""


@dataclass(frozen=True)
class Plan:
    """What is done to the columns that get through, in the policy's order."""

    treatments: Mapping[str, ColumnTreatment]

    def reads(self, name: str) -> tuple[str, ...]:
        """The columns that an output depends on, its own first."""
        return (name, *self.treatments[name].beside)

    def outputs(self, counts: Counter[str]) -> list[Output]:
        """The columns as `Dataset.map` wants them; unknown cells are added to `counts`."""
        return [
            Output(name, made.output_type, self.reads(name), partial(made.treat, name=name, counts=counts))
            for name, made in self.treatments.items()
        ]

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the masked table."""
        return pa.schema([pa.field(name, treatment.output_type) for name, treatment in self.treatments.items()])

    def labels(self, policy: Policy) -> dict[str, Label]:
        """The label of each masked column when raw is labelled as the policy declares."""
        declared = {name: declared_label(column) for name, column in policy.columns.items()}
        labels = {}
        for name, treatment in self.treatments.items():
            label = join(declared[read] for read in self.reads(name))
            labels[name] = declassify(label, by=treatment) if declassifier_of(treatment) is not None else label
        return {
            name: join([label, *map(labels.__getitem__, policy.suppressed_by(name))]) for name, label in labels.items()
        }


def make_plan(policy: Policy, *, key_for: KeyFor) -> Plan:
    """Chooses the treatments; asks for the keys of the tokens."""
    chosen = {name: column_treatment(policy, name, key_for=key_for) for name in policy.columns}
    return Plan({name: treatment for name, treatment in chosen.items() if treatment is not None})


def plan_without_keys(policy: Policy) -> Plan:
    """The plan as far as types and labels go; its tokens are worthless."""
    return make_plan(policy, key_for=lambda purpose: bytes(32))


def column_treatment(policy: Policy, name: str, *, key_for: KeyFor) -> ColumnTreatment | None:
    """The treatment of one column; None where it is dropped. Asks for that column's key alone."""
    column = policy.columns[name]
    reader = ColumnReader(column, policy.source.missing)
    if name == policy.label.column:
        return Outcome(reader, policy.label.positive)
    match column.treatment:
        case treatments.Drop():
            return None
        case treatments.Keep():
            return Keep(reader)
        case treatments.Redact():
            return Redact(reader)
        case treatments.PartialMask() as spec:
            return PartialMask(reader, spec)
        case treatments.Token() as spec:
            purpose = _token_purpose(policy, name)
            return Token(reader, spec, purpose, key_for(purpose))
        case treatments.FormatPreserving() as spec:
            return FormatPreserving(reader, spec, _context(policy, column), key_for(format_purpose(column.entity)))
        case treatments.DeterministicEncryption():
            key = key_for(encryption_purpose(column.entity))
            return DeterministicEncryption(reader, _context(policy, column), key)
        case treatments.GeneraliseNumber() as spec:
            return GeneraliseNumber(reader, spec)
        case treatments.GeneraliseDate() as spec:
            return GeneraliseDate(reader, spec)
        case treatments.GeneraliseGeography() as spec:
            return GeneraliseGeography(reader, spec)
        case treatments.GeneraliseCategory() as spec:
            return GeneraliseCategory(reader, spec)
        case treatments.TopBottomCode() as spec:
            return TopBottomCode(reader, spec)
        case treatments.DateShift() as spec:
            choice = KeyedChoice(DATE_SHIFT_PURPOSE, key_for(DATE_SHIFT_PURPOSE))
            return DateShift(reader, spec, _beside_reader(policy, name), choice)
        case treatments.Surrogate() as spec:
            kind = spec.kind_for(column.entity)
            purpose = surrogate_purpose(kind, spec.by)
            subject = _beside_reader(policy, name) if spec.by == "subject" else None
            return Surrogate(reader, kind, spec.locale, subject, KeyedChoice(purpose, key_for(purpose)))
        case treatments.ScrubText() as spec:
            return ScrubText(reader, spec, {beside: policy.columns[beside].entity for beside in policy.beside(name)})


def _token_purpose(policy: Policy, name: str) -> str:
    """Purpose of the key for a column's tokens: of one entity, or the subject's own."""
    entity = policy.columns[name].entity
    if policy.subject is None:
        return token_purpose(entity)
    if policy.subject.column == name:
        return SUBJECT_PURPOSE
    named_otherwise = policy.columns[policy.subject.column].entity is not Entity.SUBJECT_ID
    return NO_SUBJECT_PURPOSE if entity is Entity.SUBJECT_ID and named_otherwise else token_purpose(entity)


def _context(policy: Policy, column: ColumnPolicy) -> bytes:
    """What a cipher is bound to: the project and the entity."""
    return f"{policy.project}:{column.entity.value}".encode()


def _beside_reader(policy: Policy, name: str) -> tuple[str, ColumnReader]:
    """The one column beside that a treatment looks at, and how it is read."""
    (beside,) = policy.beside(name)
    return beside, ColumnReader(policy.columns[beside], policy.source.missing)
