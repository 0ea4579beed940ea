"""The draft: from a file and the name of its label to a commented policy.

Belongs here: the order of the steps. Must stay out: the steps themselves.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import ValidationError

from secure_ml.guard.column_names import listed
from secure_ml.policy.columns import ColumnType
from secure_ml.policy.labels import Entity
from secure_ml.policy.project import Policy
from secure_ml.protection.draft.company import companies
from secure_ml.protection.draft.document import Contents, render
from secure_ml.protection.draft.domains import Domain, domain_of
from secure_ml.protection.draft.errors import DraftError
from secure_ml.protection.draft.holders import Holders, Value, count_holders
from secure_ml.protection.draft.people import People
from secure_ml.protection.draft.profile import Profile, take_profile
from secure_ml.protection.draft.proposal import Proposal, propose
from secure_ml.protection.draft.regions import region_ladder
from secure_ml.protection.draft.roles import Role
from secure_ml.protection.draft.settings import settings_for
from secure_ml.protection.draft.steward import Draft, report
from secure_ml.protection.draft.study import Study, study
from secure_ml.protection.draft.table import USUAL_MISSING, TableFile, check_columns, recognise
from secure_ml.protection.draft.telling import telling
from secure_ml.protection.draft.trial import try_checks
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.labels import STRICTEST

_ROWS_TO_SEARCH = 20_000
_OWN_SHARE, _RANGE_OF_ROWS = 0.99, 2
_PROJECT = re.compile(r"[a-z][a-z0-9_]{0,47}")


def draft_policy(
    data: Path,
    *,
    project: str,
    label: str,
    subject: str | None,
    accept: bool,
    folder: Path,
    today: date,
    consent: str | None = None,
) -> Draft:
    """Drafts a policy for a CSV or Parquet file, in a few passes over it.

    No text and no number that fewer than twenty people hold stands in the draft, and the checks of `masked` pass on
    the table as it is. Memory is bounded but for the count of combinations that strangers may know.

    Args:
        data: the file.
        project: name of the project.
        label: column of the outcome.
        subject: column that is the same in every row of one person; None takes each row for a person.
        accept: takes the drafted treatments and bounds as the steward's own. A model that uses them has no
            differential-privacy guarantee, and is reported so.
        folder: where the policy will lie; a file inside it is named relative to it.
        today: the day of the draft; ages are counted at the end of a year before it where the table tells of no other.
        consent: column of the consent to this purpose; by default the one whose name speaks of consent.

    Raises:
        DraftError: no policy can be drafted; says what to do.
        SourceError: the file is missing, empty or broken.
        ClassificationError: a column cannot be looked into, or the file has no header.
    """
    check_name(project)
    file = recognise(data)
    table = file.open(USUAL_MISSING)
    check_columns(table.schema.names, file.path)
    _require_named(table, label=label, subject=subject, consent=consent)
    profile = take_profile(table, label=label, people=People(subject, USUAL_MISSING))
    if not profile.rows:
        raise DraftError(f"{file.path}: a header and no row; deliver the table with its rows")
    studied = study(profile, label=label, subject=subject, consent=consent, today=today)
    proposals, granted = _settle(studied, table, rows=profile.rows)
    contents = _contents(studied, proposals, granted, file=file, project=project, accept=accept, folder=folder)
    contents = _proven(contents, file=file, sample=_searched(profile), size=studied.size)
    text = render(contents)
    _require_sound(text, loads=contents.loads)
    return report(contents, text)


def check_name(project: str) -> None:
    """Refuses what is no project's name, before anything is written under it.

    Raises:
        DraftError: it is none.
    """
    if _PROJECT.fullmatch(project) is None:
        raise DraftError("a project's name has 1 to 48 lower-case letters, digits and '_', and starts with a letter")


def _require_named(table: Dataset, *, label: str, subject: str | None, consent: str | None) -> None:
    names = table.schema.names
    for what, name in (("label", label), ("subject", subject), ("consent", consent)):
        if name is not None and name not in names:
            known = listed([repr(n) for n in names])
            raise DraftError(f"the {what} column {name!r} is not in the table; its columns are {known}")
    if label == subject:
        raise DraftError(f"the column {label!r} cannot be both label and subject; name two columns")
    if consent is not None and consent in {label, subject}:
        raise DraftError(f"the column {consent!r} cannot be the consent and label or subject; name another column")


def _settle(studied: Study, table: Dataset, *, rows: int) -> tuple[tuple[Proposal, ...], Mapping[str, tuple[str, ...]]]:
    """The second pass, and what it leaves: proposals, and spellings of consent that enough people have."""
    intervals = settings_for(studied.size, most_telling=0.5).intervals
    domains = [
        domain_of(
            a,
            studied.values[a.column],
            studied.hashes,
            intervals=intervals,
            born_by=studied.born_by.get(a.column),
        )
        for a in studied.assignments
    ]
    holders = _count(studied, domains, table)
    if not holders.may_name(studied.label, studied.target.positive):
        raise DraftError(
            f"the label column {studied.label!r}: its positive class is held by too few people to learn from; deliver "
            "more rows, or choose another label"
        )
    granted = {
        name: tuple(text for text in texts if holders.may_name(name, text)) for name, texts in studied.granted.items()
    }
    positive, labelled = studied.positive, pa.array(studied.labelled)
    outcomes = positive[studied.labelled]
    proposals = []
    for assignment, domain in zip(studied.assignments, domains, strict=True):
        values = studied.values[assignment.column]
        told = telling(values.filter(labelled), outcomes) if assignment.role is Role.FEATURE else 0.5
        proposals.append(
            propose(
                assignment,
                domain.settle(holders),
                telling=told,
                numbers_rows=_numbers_rows(values, rows=rows),
                keeps_intervals=studied.keeps_intervals,
                regions=region_ladder(values, coordinates=assignment.entity is Entity.GEO_COORDINATES),
            )
        )
    _require_feature(proposals)
    return tuple(proposals), granted


def _require_feature(proposals: Sequence[Proposal]) -> None:
    if not any(p.is_feature for p in proposals):
        raise DraftError(
            "no column can be a feature: each is the label, an identifier, a protected attribute, free text, tells the "
            "label almost without fail, or is the same for nearly everybody; deliver columns that the purpose needs"
        )


def _count(studied: Study, domains: list[Domain], table: Dataset) -> Holders:
    candidates: dict[str, frozenset[Value]] = {d.column: d.values for d in domains}
    types = {a.column: a.type for a in studied.assignments}
    # Label and consent are compared as the texts of the source, and so they are counted.
    candidates[studied.label], types[studied.label] = frozenset({studied.target.positive}), ColumnType.STRING
    for name, texts in studied.granted.items():
        candidates[name], types[name] = frozenset(texts), ColumnType.STRING
    return count_holders(table, candidates, types=types, people=studied.people, born_by=studied.born_by)


def _numbers_rows(values: pa.Array, *, rows: int) -> bool:
    """Whether whole numbers lie so close and differ so much that they count the rows."""
    present = len(values) - values.null_count
    if not present or not pa.types.is_integer(values.type):
        return False
    edges = pc.min_max(values).as_py()
    dense = edges["max"] - edges["min"] <= _RANGE_OF_ROWS * rows
    return bool(dense and pc.count_distinct(values).as_py() >= _OWN_SHARE * present)


def _contents(
    studied: Study,
    proposals: tuple[Proposal, ...],
    granted: Mapping[str, tuple[str, ...]],
    *,
    file: TableFile,
    project: str,
    accept: bool,
    folder: Path,
) -> Contents:
    return Contents(
        project=project,
        format=file.format,
        path=_path(file.path, folder),
        delimiter=file.delimiter,
        missing=studied.missing,
        label=studied.label,
        target=studied.target,
        subject=studied.subject,
        consent=next(iter(granted.items())) if len(granted) == 1 else None,
        consent_columns=tuple(granted),
        proposals=proposals,
        settings=settings_for(studied.size, most_telling=max(p.telling for p in proposals if p.is_feature)),
        accept=accept,
    )


def _proven(contents: Contents, *, file: TableFile, sample: Dataset, size: int) -> Contents:
    """The strictest draft that its own checks let pass on the whole table.

    A column in which they find an identifier, or a cell that its treatment cannot have made, is dropped.
    """
    for candidate in _candidates(contents, sample):
        policy = _policy(candidate)
        refused = try_checks(file.open_for(policy), policy)
        if refused.columns:
            return _proven(_without(contents, set(refused.columns)), file=file, sample=sample, size=size)
        if not refused.anonymity:
            telling = max(p.telling for p in candidate.proposals if p.is_feature)
            return replace(candidate, settings=settings_for(size, most_telling=telling))
    raise AssertionError("the last candidate asks nothing of anonymity")


def _candidates(contents: Contents, sample: Dataset) -> Iterator[Contents]:
    """The draft with what may hold of anonymity, the strictest first; at last with nothing asked of it."""
    if contents.consent_settled:
        for company in companies(sample, _policy(contents), contents.proposals):
            proposals = []
            for p in contents.proposals:
                rung = company.treatments.get(p.column, p.treatment)
                given_up = f"strangers may know it, and with it fewer than {company.k} people would be alike"
                proposals.append(p.left_out(given_up) if rung is None else p.with_treatment(rung))
            yield replace(contents, proposals=tuple(proposals), company=company)
    yield contents


def _without(contents: Contents, refused: Set[str]) -> Contents:
    """The draft without columns that the checks of `masked` refuse."""
    fixed = [p.column for p in contents.proposals if p.column in refused and p.use["kind"] == "administrative"]
    if fixed or not refused & {p.column for p in contents.proposals if p.treatment["kind"] != "drop"}:
        raise DraftError(
            f"{', '.join(map(repr, fixed or sorted(refused)))}: an identifier is found in what would be left of it, "
            "and the project cannot be without it; correct the cells at the source"
        )
    why = "an identifier is found in cells of it that would be left"
    proposals = tuple(p.left_out(why) if p.column in refused else p for p in contents.proposals)
    _require_feature(proposals)
    return replace(contents, proposals=proposals)


def _policy(contents: Contents) -> Policy:
    """The policy as it will be once the steward has filled it in with what is drafted."""
    settled = contents if contents.consent_settled else replace(contents, consent_columns=(), consent=None)
    text = render(replace(settled, accept=True))
    _require_sound(text, loads=True)
    return Policy.model_validate(yaml.safe_load(text)["attributes"])


def _searched(profile: Profile) -> Dataset:
    """Raw rows of so many people of the sample that a search among treatments takes seconds."""
    rows, people = profile.sample, profile.people
    if rows.num_rows > _ROWS_TO_SEARCH:
        chosen = people <= np.quantile(people, _ROWS_TO_SEARCH / rows.num_rows)
        rows = rows.filter(pa.array(chosen))
    labels = dict.fromkeys(rows.schema.names, STRICTEST)
    return from_batches(rows.combine_chunks().to_batches(), schema=rows.schema, labels=labels)


def _path(file: Path, folder: Path) -> str:
    inside = folder.expanduser().absolute()
    return str(file.relative_to(inside)) if file.is_relative_to(inside) else str(file)


def _require_sound(text: str, *, loads: bool) -> None:
    """A draft that says it can be used is read back first: a steward is never handed a file that does not hold."""
    try:
        content = yaml.safe_load(text)
        if loads:
            Policy.model_validate(content["attributes"])
    except (yaml.YAMLError, ValidationError) as error:
        places = ""
        if isinstance(error, ValidationError):
            found = error.errors(include_input=False, include_url=False, include_context=False)
            places = " at " + ", ".join(sorted({".".join(map(str, item["loc"])) or "policy" for item in found})[:5])
        raise DraftError(
            f"the drafted policy does not hold{places}; rename unusual columns at the source and draft again"
        ) from None
