"""One column's declaration as it is drafted.

Belongs here: treatments, use and reasons from role and bounds. Must stay out: YAML, and looking at cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from secure_ml.policy.columns import ColumnType
from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.compare import CELLS_TO_COUNT, FEWEST_VALUES
from secure_ml.protection.draft.cuts import halvings
from secure_ml.protection.draft.domains import COVERED, Bounds
from secure_ml.protection.draft.holders import OLDEST
from secure_ml.protection.draft.roles import Assignment, Role
from secure_ml.protection.draft.telling import GIVES_AWAY, STRIKING

CONFIRM = "Drafted, not yet confirmed: does the purpose need this column? Confirm or remove."

Value = str | float | date | tuple[str, ...] | tuple[float, ...]
Rung = Mapping[str, Value]
"""A treatment's fields."""

Rungs = tuple[Rung, ...]
"""Treatments from least to most general."""

KEEP: Rung = {"kind": "keep"}
DROP: Rung = {"kind": "drop"}

_FAIRNESS_CUTS = 3
_BANDS_YEARS = (5, 10, 20)
_PERIODS = ("month", "quarter", "year")
_SHIFT_DAYS = 365
_FROM_DATA = ("cuts", "stay", "top", "bottom")

_BECAUSE = {
    "token": "a keyed pseudonym, the same in all rows",
    "date_shift": "days between dates of one person are kept, the days themselves are not; who knows one knows all",
    "generalise_geography": "the region only",
    "generalise_number": "the interval only; at least 20 people in each",
    "generalise_category": "values that fewer than 20 people have, or that help to find somebody, are one",
    "top_bottom_code": "its extremes stand out; at least 20 people at or beyond a bound",
    "scrub_text": "identifiers that are found are replaced; it stays personal, and drop is safer",
}


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
        ladder: of a column that strangers may know, treatments from least to most general; the first is `treatment`.
    """

    assignment: Assignment
    description: str
    treatment: Rung
    use: Mapping[str, str]
    why: str
    bounds: Bounds = field(default_factory=Bounds)
    question: str = ""
    telling: float = 0.5
    ladder: Rungs = ()

    @property
    def column(self) -> str:
        """The column's name."""
        return self.assignment.column

    @property
    def is_feature(self) -> bool:
        """Whether it is an input of the model."""
        return self.use["kind"] == "feature"

    @property
    def from_data(self) -> bool:
        """Whether its treatment has numbers or words that were read from the data."""
        return any(name in self.treatment for name in _FROM_DATA)

    @property
    def because(self) -> str:
        """The treatment's reason, or "" where the column's says it."""
        if self.treatment["kind"] == "generalise_date":
            return "a day of birth finds a person, an age does not" if "at" in self.treatment else "the day is left out"
        return _BECAUSE.get(str(self.treatment["kind"]), "")

    @property
    def bins(self) -> tuple[float, ...]:
        """Cut points of its use: never finer than its treatment, and none beyond its bounds."""
        cuts = self.treatment.get("cuts", self.bounds.bins)
        found = tuple(cut for cut in cuts if isinstance(cut, float)) if isinstance(cuts, tuple) else ()
        match self.treatment:
            case {"step": int(step)}:
                found = tuple(cut for cut in found if cut % step == 0)
            case {"kind": "top_bottom_code"}:
                top, bottom = self.bounds.top, self.bounds.bottom
                found = tuple(cut for cut in found if (top is None or cut <= top) and (bottom is None or cut > bottom))
        if self.is_feature:
            return found
        if self.assignment.numeric and self.bounds.complete and self.treatment == KEEP:
            return ()
        return next((cuts for cuts in halvings(found) if len(cuts) <= _FAIRNESS_CUTS), ())

    @property
    def categories(self) -> tuple[str, ...]:
        """Values of its use, as its treatment leaves them."""
        stay, otherwise = self.treatment.get("stay"), self.treatment.get("otherwise")
        if not isinstance(stay, tuple):
            return tuple(sorted(self.bounds.categories))
        left = {str(word) for word in stay} | ({str(otherwise)} if otherwise is not None else set())
        return tuple(sorted(left))

    def with_treatment(self, rung: Rung) -> "Proposal":
        """The same under another treatment of its ladder."""
        return replace(self, treatment=rung)

    def left_out(self, why: str, question: str = "") -> "Proposal":
        """The same, dropped."""
        return replace(
            self, treatment=DROP, use={"kind": "never"}, why=why, question=question, ladder=(), bounds=Bounds()
        )


def propose(
    assignment: Assignment, bounds: Bounds, *, telling: float, numbers_rows: bool, keeps_intervals: bool, regions: Rungs
) -> Proposal:
    """The declaration of one column.

    Args:
        assignment: what the column is.
        bounds: what may be named of it.
        telling: AUC of the label ranked by this column alone; 0.5 where it was not looked at.
        numbers_rows: whether the column has a value of its own in every row.
        keeps_intervals: whether days between the dates of one person may matter.
        regions: treatments that fit the form of a column of places.
    """
    administrative = {"kind": "administrative"}
    match assignment.role:
        case Role.LABEL | Role.CONSENT:
            return _made(assignment, (KEEP,), administrative)
        case Role.SUBJECT:
            return _made(assignment, ({"kind": "token"},), administrative)
        case Role.REGION:
            return _made(assignment, regions, {"kind": "review"})
        case Role.DATE:
            return _date(assignment, keeps_intervals=keeps_intervals)
        case Role.TEXT:
            question = "does a reviewer need this text? If not, drop it: no search finds all that names a person"
            return _made(assignment, ({"kind": "scrub_text"},), {"kind": "review"}, question=question)
        case Role.RECORD:
            return _record(assignment)
        case Role.PROTECTED:
            return _protected(assignment, bounds)
        case Role.FEATURE:
            return _feature(assignment, bounds, telling, numbers_rows)
    return _left_out(assignment, assignment.why)


def _date(assignment: Assignment, *, keeps_intervals: bool) -> Proposal:
    review = {"kind": "review"}
    if keeps_intervals:
        return _made(assignment, ({"kind": "date_shift", "max_days": _SHIFT_DAYS},), review)
    return _made(assignment, tuple({"kind": "generalise_date", "to": period} for period in _PERIODS), review)


def _record(assignment: Assignment) -> Proposal:
    finding = assignment.finding
    distinct = finding.distinct_at_least if finding.distinct is None else finding.distinct
    if distinct < FEWEST_VALUES and finding.non_null > CELLS_TO_COUNT * distinct:
        return _left_out(assignment, f"{assignment.why}; too few values for a token, since counting would tell them")
    question = "must a reviewer name the record? If not, drop it"
    return _made(assignment, ({"kind": "token"},), {"kind": "review"}, question=question)


def _protected(assignment: Assignment, bounds: Bounds) -> Proposal:
    fairness = {"kind": "fairness"}
    if assignment.type is ColumnType.DATE:
        ladder: Rungs = ({"kind": "generalise_date", "to": "year"},)
        if bounds.at is not None:
            ladder = tuple(
                {"kind": "generalise_date", "to": "age", "at": bounds.at, "oldest": OLDEST, "step": years}
                for years in _BANDS_YEARS
            )
        return _made(assignment, ladder, fairness, bounds=bounds)
    ladder = _numbers(bounds) if assignment.numeric else _categories(assignment, bounds)
    if not ladder:
        return _left_out(assignment, f"{assignment.why}; and too few people differ in it to compare groups")
    return _made(assignment, ladder, fairness, bounds=bounds)


def _feature(assignment: Assignment, bounds: Bounds, telling: float, numbers_rows: bool) -> Proposal:
    if telling >= GIVES_AWAY:
        why = "alone it tells the label almost without fail, so it is taken for something known only afterwards"
        question = "is it known before the outcome? Only then may it be a feature, and gates.leakage be raised"
        return _left_out(assignment, why, question)
    if numbers_rows:
        return _left_out(
            assignment, "a value of its own in nearly every row: it numbers people, and tells nothing of them"
        )
    if bounds.covered < COVERED and bounds.categories:
        why = "most cells hold values that few people share; group them at the source, or by generalise_category"
        return _left_out(assignment, why)
    ladder = _feature_ladder(assignment, bounds)
    if not ladder:
        return _left_out(assignment, "too few people differ in it, so no bin or category could be named")
    question = ""
    if telling >= STRIKING:
        question = "alone it ranks the label strikingly well: is it known before the outcome?"
    elif assignment.entity in {Entity.HEALTH, Entity.ICD_CODE}:
        question = "it says something about health: does the purpose need it?"
    made = _made(assignment, ladder, {"kind": "feature", "reason": CONFIRM}, bounds=bounds, question=question)
    return replace(made, telling=telling)


def _feature_ladder(assignment: Assignment, bounds: Bounds) -> Rungs:
    if not assignment.numeric:
        return _categories(assignment, bounds)
    if assignment.known:
        return _numbers(bounds)
    if not bounds.bins:
        return ()
    if assignment.entity is Entity.INCOME or bounds.stands_out:
        return _numbers(bounds)[:1]
    ends: dict[str, Value] = {
        name: value for name, value in (("bottom", bounds.bottom), ("top", bounds.top)) if value is not None
    }
    return ({"kind": "top_bottom_code", **ends} if ends else KEEP,)


def _numbers(bounds: Bounds) -> Rungs:
    """Intervals from fine to coarse; the numbers themselves where they are few and many people have each."""
    cuts: Rungs = tuple({"kind": "generalise_number", "cuts": cuts} for cuts in halvings(bounds.bins))
    return (KEEP, *cuts[1:]) if bounds.complete and cuts else cuts


def _categories(assignment: Assignment, bounds: Bounds) -> Rungs:
    """The frequent values, and fewer and fewer of them; all else is one."""
    named = bounds.categories
    if len(named) < 2 and (bounds.complete or not named):
        return ()
    if assignment.type is not ColumnType.STRING:
        return (KEEP,) if bounds.complete else ()
    ladder: list[Rung] = [KEEP] if bounds.complete else []
    left = len(named) // 2 if bounds.complete else len(named)
    while left and bounds.otherwise is not None:
        ladder.append(
            {"kind": "generalise_category", "stay": tuple(sorted(named[:left])), "otherwise": bounds.otherwise}
        )
        left //= 2
    return tuple(ladder)


def _left_out(assignment: Assignment, why: str, question: str = "") -> Proposal:
    return replace(_made(assignment, (DROP,), {"kind": "never"}, question=question), why=why)


def _made(
    assignment: Assignment,
    ladder: Rungs,
    use: Mapping[str, str],
    *,
    bounds: Bounds | None = None,
    question: str = "",
) -> Proposal:
    what = {Role.LABEL: "the outcome", Role.SUBJECT: "the person's key", Role.CONSENT: "consent"}.get(assignment.role)
    looks = "not recognised" if assignment.entity is Entity.NONE else f"looks like {assignment.entity}"
    seen = what or looks.replace("_", " ")
    description = f"Drafted, say what it holds: {seen}."
    shown = ladder if assignment.known and ladder[0]["kind"] not in {"drop", "date_shift"} else ()
    return Proposal(assignment, description, ladder[0], use, assignment.why, bounds or Bounds(), question, ladder=shown)
