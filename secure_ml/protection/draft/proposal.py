"""One column's declaration as it is drafted.

Belongs here: treatment, use and reason from role and bounds. Must stay out: YAML, and looking at cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from secure_ml.policy.columns import ColumnType
from secure_ml.policy.labels import Entity
from secure_ml.protection.draft.domains import COVERED, Bounds
from secure_ml.protection.draft.roles import Assignment, Role
from secure_ml.protection.draft.telling import GIVES_AWAY, STRIKING

CONFIRM = "Drafted, not yet confirmed: does the purpose need this column? Confirm or remove."
_REGION_CHARACTERS = 3


@dataclass(frozen=True)
class Proposal:
    """A column of the drafted policy.

    Attributes:
        assignment: what it is.
        description: a line for people.
        treatment: the treatment's fields.
        use: the use's fields, without bounds.
        bounds: what a feature or protected attribute is cut or listed by.
        why: the reason of treatment and use.
        question: what the steward has to settle about it, or "".
        telling: AUC of the label ranked by this column alone.
    """

    assignment: Assignment
    description: str
    treatment: Mapping[str, str | float]
    use: Mapping[str, str]
    why: str
    bounds: Bounds = field(default_factory=Bounds)
    question: str = ""
    telling: float = 0.5

    @property
    def column(self) -> str:
        """The column's name."""
        return self.assignment.column

    @property
    def is_feature(self) -> bool:
        """Whether it is an input of the model."""
        return self.use["kind"] == "feature"


def propose(assignment: Assignment, bounds: Bounds, *, telling: float, numbers_rows: bool) -> Proposal:
    """The declaration of one column.

    Args:
        assignment: what the column is.
        bounds: what may be named of it.
        telling: AUC of the label ranked by this column alone; 0.5 where it was not looked at.
        numbers_rows: whether the column has a value of its own in every row.
    """
    match assignment.role:
        case Role.LABEL | Role.CONSENT:
            return _made(assignment, {"kind": "keep"}, {"kind": "administrative"})
        case Role.SUBJECT:
            return _made(assignment, {"kind": "token"}, {"kind": "administrative"})
        case Role.REGION:
            region: dict[str, str | float] = {"kind": "generalise_geography", "keep_first": _REGION_CHARACTERS}
            return _made(assignment, region, {"kind": "review"})
        case Role.PROTECTED:
            return _protected(assignment, bounds)
        case Role.FEATURE:
            return _feature(assignment, bounds, telling, numbers_rows)
    return _left_out(assignment, assignment.why)


def _protected(assignment: Assignment, bounds: Bounds) -> Proposal:
    treatment: Mapping[str, str | float] = {"kind": "keep"}
    if assignment.type is ColumnType.DATE:
        treatment = {"kind": "generalise_date", "to": "year"}
    return _made(assignment, treatment, {"kind": "fairness"}, bounds=bounds)


def _feature(assignment: Assignment, bounds: Bounds, telling: float, numbers_rows: bool) -> Proposal:
    if telling >= GIVES_AWAY:
        why = "alone it tells the label almost without fail, so it is taken for something known only afterwards"
        question = "is it known before the outcome? Only then may it be a feature, and gates.leakage be raised"
        return _left_out(assignment, why, question)
    if assignment.type is ColumnType.DATE:
        return _left_out(assignment, "a date is no input as it is; declare it if it says when the row became known")
    if numbers_rows:
        return _left_out(
            assignment, "a value of its own in nearly every row: it numbers people, and tells nothing of them"
        )
    if not bounds.bins and not bounds.categories:
        return _left_out(assignment, "too few people differ in it, so no bin or category could be named")
    if bounds.covered < COVERED:
        why = "most cells hold values that few people share; group them at the source, or declare categories"
        return _left_out(assignment, why)
    treatment: Mapping[str, str | float] = {"kind": "keep"}
    if bounds.step is not None:
        treatment = {"kind": "generalise_number", "step": bounds.step}
    question = ""
    if telling >= STRIKING:
        question = "alone it ranks the label strikingly well: is it known before the outcome?"
    elif assignment.entity in {Entity.HEALTH, Entity.ICD_CODE}:
        question = "it says something about health: does the purpose need it?"
    made = _made(assignment, treatment, {"kind": "feature", "reason": CONFIRM}, bounds=bounds, question=question)
    return replace(made, telling=telling)


def _left_out(assignment: Assignment, why: str, question: str = "") -> Proposal:
    return replace(_made(assignment, {"kind": "drop"}, {"kind": "never"}, question=question), why=why)


def _made(
    assignment: Assignment,
    treatment: Mapping[str, str | float],
    use: Mapping[str, str],
    *,
    bounds: Bounds | None = None,
    question: str = "",
) -> Proposal:
    what = {Role.LABEL: "the outcome", Role.SUBJECT: "the person's key", Role.CONSENT: "consent"}.get(assignment.role)
    looks = "not recognised" if assignment.entity is Entity.NONE else f"looks like {assignment.entity}"
    seen = what or looks.replace("_", " ")
    description = f"Drafted, say what it holds: {seen}."
    return Proposal(assignment, description, treatment, use, assignment.why, bounds or Bounds(), question)
