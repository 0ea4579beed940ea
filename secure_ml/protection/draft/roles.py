"""What each column is to the project: label, subject, identifier, protected attribute, feature, or nothing.

Belongs here: the rule from a finding and a name to a role, with its reason. Must stay out: values, bounds, YAML.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

from secure_ml.policy.columns import ColumnType
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.finding import Finding
from secure_ml.protection.draft.evidence import evidence_of
from secure_ml.protection.draft.naming import (
    is_known_to_strangers,
    says_age,
    says_consent,
    says_marital,
    says_postal,
)


class Role(StrEnum):
    """What becomes of a column."""

    LABEL = "label"
    SUBJECT = "subject"
    CONSENT = "consent"
    PROTECTED = "protected"
    REGION = "region"
    DATE = "date"
    TEXT = "text"
    RECORD = "record"
    FEATURE = "feature"
    LEFT_OUT = "left_out"


@dataclass(frozen=True)
class Assignment:
    """One column's role.

    Attributes:
        finding: what the classifier found.
        role: what becomes of it.
        type: how its cells read.
        category: as the draft declares it, never below the finding.
        identifiability: likewise.
        why: the reason, in words.
    """

    finding: Finding
    role: Role
    type: ColumnType
    category: Category
    identifiability: Identifiability
    why: str

    @property
    def column(self) -> str:
        """The column's name."""
        return self.finding.column

    @property
    def entity(self) -> Entity:
        """What a value is."""
        return self.finding.entity

    @property
    def numeric(self) -> bool:
        """Whether its cells are numbers."""
        return self.type in {ColumnType.INTEGER, ColumnType.NUMBER}

    @property
    def known(self) -> bool:
        """Whether strangers may know it of a person, so that it helps them to find the row."""
        if self.role in {Role.PROTECTED, Role.REGION, Role.DATE}:
            return True
        return self.role is Role.FEATURE and is_known_to_strangers(self.column)


_PROTECTED = frozenset({Entity.GENDER, Entity.RELIGION, Entity.ETHNICITY, Entity.DATE_OF_BIRTH})

_LEFT_OUT = {
    Entity.EMPLOYER: "a small employer points to a person",
    Entity.IFSC: "a branch is no property of a person; declare it if the purpose needs it",
    Entity.GSTIN: "the number of a business is no input of a model",
    Entity.SWIFT_BIC: "a bank is no property of a person; declare it if the purpose needs it",
    Entity.ROUTING_NUMBER: "a bank is no property of a person; declare it if the purpose needs it",
    Entity.IP_ADDRESS: "an address on the network points to a person or household",
    Entity.MAC_ADDRESS: "the number of a device points to its owner",
    Entity.URL: "an address on the web may hold a person's name or a key",
    Entity.SECRET: "a password or key has no place in a table that a model is made from; change it, it was copied",
    Entity.PLACE: "where people live stands for who they are, so it is no input",
    Entity.SUBJECT_ID: "a person's number is no input of a model",
}

FOUND_NOTHING = "nothing sensitive was recognised; drafted as personal all the same"


def assign(
    findings: Sequence[Finding], types: Sequence[ColumnType], *, label: str, subject: str | None, consent: str | None
) -> tuple[Assignment, ...]:
    """A role for each column, in the table's order.

    Args:
        findings: one a column.
        types: one a column.
        label: the label column.
        subject: the subject column.
        consent: the column of the consent to this purpose; None leaves it to the columns' names.
    """
    pairs = tuple(zip(findings, types, strict=True))
    named = [f.column for f, kind in pairs if _is_consent(f, kind) and f.column not in {label, subject}]
    consents = named if consent is None else [consent]
    other = set(named) - set(consents)
    return tuple(_assign(f, kind, label=label, subject=subject, consents=consents, other=other) for f, kind in pairs)


def _assign(
    finding: Finding,
    kind: ColumnType,
    *,
    label: str,
    subject: str | None,
    consents: Sequence[str],
    other: Set[str],
) -> Assignment:
    if finding.column == label:
        return _as_found(finding, Role.LABEL, kind, "the outcome to be predicted")
    if finding.column == subject:
        why = "the same in every row of one person; only its keyed token goes further"
        known = finding.identifiability
        strongest = known if known is Identifiability.DIRECT else Identifiability.PSEUDONYM
        return Assignment(finding, Role.SUBJECT, ColumnType.STRING, _personal(finding), strongest, why)
    if finding.column in consents:
        why = "the consent to this purpose; only rows that say yes are used"
        if len(consents) > 1:
            why = "its name speaks of consent, and so does another's: say under consent which one covers this purpose"
        return _as_found(finding, Role.CONSENT, kind, why)
    if finding.column in other:
        return _as_found(finding, Role.LEFT_OUT, kind, "consent to another purpose")
    role, why = _by_content(finding, kind)
    return Assignment(finding, role, kind, _personal(finding), _at_least_quasi(finding), why)


def _by_content(finding: Finding, kind: ColumnType) -> tuple[Role, str]:
    entity, evidence = finding.entity, evidence_of(finding)
    if not finding.non_null:
        return Role.LEFT_OUT, "every cell is empty"
    if entity is Entity.FREE_TEXT:
        return Role.TEXT, f"free text may say anything of anybody, so it is no input ({evidence})"
    if entity is Entity.RECORD_ID:
        return Role.RECORD, f"the number of a record says nothing about its person, so it is no input ({evidence})"
    if finding.identifiability is Identifiability.DIRECT:
        return Role.LEFT_OUT, f"points to a person directly ({evidence})"
    if entity in _LEFT_OUT:
        return Role.LEFT_OUT, f"{_LEFT_OUT[entity]} ({evidence})"
    if entity in _PROTECTED:
        return Role.PROTECTED, f"a protected attribute: never an input, kept to compare groups ({evidence})"
    if entity in {Entity.PIN_CODE, Entity.GEO_COORDINATES}:
        return Role.REGION, f"where people live stands for who they are, so it is no input ({evidence})"
    if entity is Entity.NONE and says_postal(finding.column):
        return Role.REGION, "its name says postal code: where people live stands for who they are, so it is no input"
    if kind is ColumnType.DATE:
        return Role.DATE, "a date is no input as it is; declare it if it says when the row became known"
    if says_marital(finding.column):
        return Role.PROTECTED, "its name speaks of marital status, a protected attribute: never an input"
    if says_age(finding.column):
        return Role.PROTECTED, (
            "its name says age, a protected attribute: never an input, unless the purpose, such as medicine, needs it"
        )
    if entity in {Entity.HEALTH, Entity.ICD_CODE}:
        return Role.FEATURE, f"says something about health: confirm that the purpose needs it ({evidence})"
    return Role.FEATURE, FOUND_NOTHING if entity is Entity.NONE else f"looks like {entity} ({evidence})"


def _as_found(finding: Finding, role: Role, kind: ColumnType, why: str) -> Assignment:
    return Assignment(finding, role, kind, finding.category, finding.identifiability, why)


def _personal(finding: Finding) -> Category:
    return Category.PII if finding.category is Category.INTERNAL else finding.category


def _at_least_quasi(finding: Finding) -> Identifiability:
    if finding.identifiability is Identifiability.NONE:
        return Identifiability.QUASI
    return finding.identifiability


def _is_consent(finding: Finding, kind: ColumnType) -> bool:
    flag = kind in {ColumnType.BOOLEAN, ColumnType.INTEGER, ColumnType.STRING}
    return flag and says_consent(finding.column) and finding.identifiability is not Identifiability.DIRECT
