"""What the table is, before any value of it is named: label, types, roles, people.

Belongs here: conclusions from the first pass. Must stay out: bounds, and the draft's words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnType
from secure_ml.policy.labels import Entity, Identifiability
from secure_ml.protection.classify.finding import Finding
from secure_ml.protection.draft.column_type import infer_type, missing_marks
from secure_ml.protection.draft.errors import DraftError
from secure_ml.protection.draft.holders import FEWEST_PEOPLE
from secure_ml.protection.draft.naming import says_postal
from secure_ml.protection.draft.people import Hashes, People
from secure_ml.protection.draft.profile import Profile
from secure_ml.protection.draft.roles import Assignment, Role, assign
from secure_ml.protection.draft.table import USUAL_MISSING
from secure_ml.protection.draft.target import Target, choose_target
from secure_ml.protection.parse import as_text, parse, parse_text

_PERSON_KEYS = (
    Entity.SUBJECT_ID, Entity.MEDICAL_RECORD_NUMBER, Entity.NHS_NUMBER, Entity.ABHA_NUMBER, Entity.AADHAAR, Entity.PAN,
    Entity.SSN, Entity.ITIN, Entity.VOTER_ID, Entity.PASSPORT, Entity.DRIVING_LICENCE, Entity.EMAIL, Entity.PHONE,
    Entity.ACCOUNT_NUMBER,
)  # fmt: skip
_NEARLY_ALL = 0.9
_MOST_SPELLINGS = 10


@dataclass(frozen=True, repr=False)
class Study:
    """A table about which everything is known but its bounds.

    Attributes:
        label: the label column.
        subject: the subject column, if one was given.
        target: the label's classes.
        missing: texts that mean missing.
        assignments: a role for each column.
        people: tells people apart for counting; by a column that was found to name them where no subject was given.
        hashes: the person of each row below.
        values: the sample's cells as their types, by column.
        granted: spellings of a granted consent, by consent column; still to be counted.
        born_by: the day on which ages are counted, for each column of births.
    """

    label: str
    subject: str | None
    target: Target
    missing: tuple[str, ...]
    assignments: tuple[Assignment, ...]
    people: People
    hashes: Hashes
    values: Mapping[str, pa.Array]
    granted: Mapping[str, tuple[str, ...]]
    born_by: Mapping[str, date]

    @property
    def keeps_intervals(self) -> bool:
        """Whether days between dates may matter: a subject is named, and has several dates."""
        dates = sum(a.role is Role.DATE for a in self.assignments)
        return self.subject is not None and (dates > 1 or (dates == 1 and len(self.hashes) > self.size))

    @property
    def size(self) -> int:
        """People in the sample: all of them, or a lower bound."""
        return int(np.unique(self.hashes).size)

    @property
    def positive(self) -> npt.NDArray[np.bool_]:
        """Which rows of the sample have the positive outcome."""
        values = self.values[self.label]
        wanted = parse_text(pa.array([self.target.positive]), self.target.type)[0]
        return np.asarray(pc.fill_null(pc.equal(values, wanted), False).to_numpy(zero_copy_only=False), dtype=np.bool_)

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        """Which rows of the sample have an outcome."""
        return np.asarray(self.values[self.label].is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def study(profile: Profile, *, label: str, subject: str | None, consent: str | None, today: date) -> Study:
    """Concludes from a profile.

    Args:
        profile: of the table.
        label: the label column.
        subject: the subject column, if one was given.
        consent: the consent column, if one was given.
        today: the day of the draft.

    Raises:
        DraftError: the label has not two classes or points to people, or there are too few people.
    """
    target = choose_target(profile.classes, column=label)
    missing = (*USUAL_MISSING, *missing_marks(profile.sample, profile.people, usual=USUAL_MISSING))
    columns = {name: one_array(profile.sample.column(name)) for name in profile.sample.schema.names}
    types = [
        target.type if f.column == label else _type(f, columns[f.column], missing=missing) for f in profile.findings
    ]
    assignments = assign(profile.findings, types, label=label, subject=subject, consent=consent)
    _require_plain_label(assignments)
    people = People(subject or _person_column(profile.findings), missing)
    hashes, rows = _people_of(profile, people)
    values = {a.column: parse(columns[a.column].filter(rows), a.type, missing=missing).values for a in assignments}
    made = Study(
        label=label,
        subject=subject,
        target=target,
        missing=missing,
        assignments=assignments,
        people=people,
        hashes=hashes,
        values=values,
        granted={a.column: _granted(columns[a.column], missing) for a in assignments if a.role is Role.CONSENT},
        born_by=_born_by(assignments, values, hashes, today=today),
    )
    if made.size < 2 * FEWEST_PEOPLE:
        raise DraftError(
            f"the table holds fewer than {2 * FEWEST_PEOPLE} people, too few to learn from without learning about "
            "one of them; deliver more, or correct which column names the subject"
        )
    return made


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """A column of the sample as one array."""
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def _type(finding: Finding, column: pa.Array, *, missing: tuple[str, ...]) -> ColumnType:
    if finding.entity is Entity.NONE and says_postal(finding.column):
        return ColumnType.STRING
    return infer_type(column, entity=finding.entity, missing=missing)


def _born_by(
    assignments: Sequence[Assignment], values: Mapping[str, pa.Array], people: Hashes, *, today: date
) -> dict[str, date]:
    """The last day of the latest year in which something happened to many people, or of the year before today."""
    births = [a.column for a in assignments if a.role is Role.PROTECTED and a.type is ColumnType.DATE]
    events = [values[a.column] for a in assignments if a.role is Role.DATE]
    latest = max((_latest_year(dates, people) for dates in events), default=None) or today.year - 1
    return dict.fromkeys(births, date(min(latest, today.year), 12, 31))


def _latest_year(dates: pa.Array, people: Hashes) -> int:
    """The latest year in which at least `FEWEST_PEOPLE` people have a date; 0 where there is none."""
    years = pc.fill_null(pc.year(dates), 0).to_numpy(zero_copy_only=False)
    for year in np.unique(years)[::-1]:
        if np.unique(people[years == year]).size >= FEWEST_PEOPLE:
            return int(year)
    return 0


def _require_plain_label(assignments: Sequence[Assignment]) -> None:
    for a in assignments:
        if a.role is Role.LABEL and (a.identifiability is Identifiability.DIRECT or a.entity is Entity.FREE_TEXT):
            raise DraftError(
                f"the label column {a.column!r} looks like {a.entity}, which points to people; name the outcome"
            )


def _person_column(findings: Sequence[Finding]) -> str | None:
    """A column that names people, so that values of one person with many rows do not count as held by many."""
    for entity in _PERSON_KEYS:
        for finding in findings:
            shaped = finding.pattern_matches >= _NEARLY_ALL * finding.rows
            if finding.entity is entity and shaped:
                return finding.column
    return None


def _people_of(profile: Profile, people: People) -> tuple[Hashes, pa.Array]:
    if people.column is None:
        return profile.people, pa.array(np.ones(len(profile.people), np.bool_))
    table = profile.sample.select([people.column]).combine_chunks()
    batches = table.to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
    pairs = [people.of(batch, first_row=0) for batch in batches]
    present = np.concatenate([p for _, p in pairs])
    return np.concatenate([h for h, _ in pairs])[present], pa.array(present)


def _granted(column: pa.Array, missing: tuple[str, ...]) -> tuple[str, ...]:
    """The commonest texts that read as yes."""
    counted = pc.value_counts(as_text(column, missing=missing).drop_null())
    if not len(counted):
        return ()
    yes = pc.fill_null(parse_text(counted.field("values"), ColumnType.BOOLEAN), False)
    texts, counts = counted.field("values").filter(yes), counted.field("counts").filter(yes)
    best = np.argsort(-counts.to_numpy(zero_copy_only=False), kind="stable")[:_MOST_SPELLINGS]
    return tuple(texts.take(pa.array(best)).to_pylist())
