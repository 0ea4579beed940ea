"""What the steward is told beside the file: what was found, what is to be settled, what does not hold.

Belongs here: the summary of a draft. Must stay out: the file itself (document).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from secure_ml.policy.labels import Entity
from secure_ml.protection.draft.document import Contents
from secure_ml.protection.draft.proposal import Proposal
from secure_ml.protection.draft.roles import Role


@dataclass(frozen=True)
class DraftedColumn:
    """A row of the table that `secure-ml init` shows.

    Attributes:
        column: its name.
        found: what was found in it.
        treatment: the drafted treatment.
        use: the drafted use.
        why: the reason.
    """

    column: str
    found: str
    treatment: str
    use: str
    why: str


@dataclass(frozen=True)
class Draft:
    """A drafted policy.

    Attributes:
        project: name of the project.
        text: the whole `defs.yaml`.
        columns: what was found and drafted, by column.
        fields: fields without which the policy does not load, dotted; empty where it can be used as it is.
        open_questions: what the steward has to fill in before it can run, in words; as many as the fields need.
        to_confirm: what runs as it was drafted, and is the steward's to confirm or change.
        warnings: what does not hold as long as the draft stays as it is.
    """

    project: str
    text: str
    columns: tuple[DraftedColumn, ...]
    fields: tuple[str, ...]
    open_questions: tuple[str, ...]
    to_confirm: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def loads(self) -> bool:
        """Whether the policy can be used without an edit."""
        return not self.fields


def report(contents: Contents, text: str) -> Draft:
    """The draft with its summary."""
    return Draft(
        project=contents.project,
        text=text,
        columns=tuple(_row(p) for p in contents.proposals),
        fields=contents.fields_to_fill,
        open_questions=tuple(_open_questions(contents)),
        to_confirm=tuple(_to_confirm(contents)),
        warnings=tuple(_warnings(contents)),
    )


def _row(p: Proposal) -> DraftedColumn:
    a = p.assignment
    found = "nothing sensitive" if a.entity is Entity.NONE else str(a.entity)
    use = str(a.role) if a.role in {Role.LABEL, Role.SUBJECT, Role.CONSENT} else p.use["kind"]
    return DraftedColumn(p.column, found, str(p.treatment["kind"]), use, p.why)


def _open_questions(c: Contents) -> Iterator[str]:
    if not c.consent_settled:
        which = f"consent: which of {_named(c.consent_columns)} covers this purpose?"
        yield f"{which} Draft anew with --consent COLUMN, or say legal_basis: consent and which column"
    if not c.accept:
        yield (
            f"bins or categories of {_named(_features(c))}: declare them from your knowledge of the domain; those in "
            "the file were drafted from the data, and belong together with bounds_from: data"
        )


def _to_confirm(c: Contents) -> Iterator[str]:
    yield "purpose: what is the data processed for, and who decides what with the model?"
    if c.consent_settled:
        yield "legal_basis: on what basis may it be processed?"
    yield f"features: does the purpose need {_named(_features(c))}? Write the reason for each, or remove it"
    for question in dict.fromkeys(p.question for p in c.proposals if p.question):
        yield f"{_named([p.column for p in c.proposals if p.question == question])}: {question}"
    if c.subject is None:
        yield "subject: can one person have several rows? Then name the column that is the same in all of them"
    yield from _about_anonymity(c)
    yield "gates, approvals, retention: drafted from habit; what does your organisation ask for?"


def _about_anonymity(c: Contents) -> Iterator[str]:
    if c.company is None:
        about = (
            f", and no treatment of {_named(c.known)} makes even a few alike" if c.known and c.consent_settled else ""
        )
        yield f"anonymity: how many people must share what strangers may know? Nothing is asked of it yet{about}"
        return
    yield (
        f"anonymity: are {c.company.k} people enough who share {_named(c.company.quasi_identifiers)}? And do strangers "
        f"know none of {_named(c.unknown)}?"
    )
    if c.company.given_up:
        yield f"{_named(c.company.given_up)}: dropped so that enough people are alike; does the purpose need one?"


def _features(c: Contents) -> list[str]:
    return [p.column for p in c.proposals if p.is_feature]


def _warnings(c: Contents) -> Iterator[str]:
    if c.accept:
        yield (
            "bins and categories are drafted from the data, so a model will be reported as: noise added, no "
            "differential-privacy guarantee"
        )
    people = [p.column for p in c.proposals if p.assignment.entity is Entity.SUBJECT_ID]
    if c.subject is None and people:
        yield f"{_named(people)} looks like the number of a person, but every row counts as a person of its own"
    if c.learns_from_suppressed:
        yield "rare combinations become missing, so the privacy loss of training is stated for the masked table only"
    if not any(p.use["kind"] == "fairness" for p in c.proposals):
        yield "no protected attribute was found, so unequal treatment of groups will not be seen"
    if not c.consent_settled:
        yield f"{_named(c.consent_columns)}: these speak of consent; nothing runs until the policy says which counts"


def _named(names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
