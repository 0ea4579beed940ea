"""The draft: from a file and the name of its label to a commented policy.

Belongs here: the order of the steps. Must stay out: the steps themselves.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import ValidationError

from secure_ml.policy.columns import ColumnType
from secure_ml.policy.project import Policy
from secure_ml.protection.draft.document import Contents, render
from secure_ml.protection.draft.domains import Domain, domain_of
from secure_ml.protection.draft.errors import DraftError
from secure_ml.protection.draft.holders import Holders, Value, count_holders
from secure_ml.protection.draft.people import People
from secure_ml.protection.draft.profile import take_profile
from secure_ml.protection.draft.proposal import Proposal, propose
from secure_ml.protection.draft.roles import Role
from secure_ml.protection.draft.settings import settings_for
from secure_ml.protection.draft.steward import Draft, report
from secure_ml.protection.draft.study import Study, study
from secure_ml.protection.draft.table import USUAL_MISSING, TableFile, check_columns, recognise
from secure_ml.protection.draft.telling import telling
from secure_ml.vault.dataset import Dataset

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
    consent: str | None = None,
) -> Draft:
    """Drafts a policy for a CSV or Parquet file, in two passes over it and bounded memory.

    No text and no number that fewer than twenty people hold stands in the draft.

    Args:
        data: the file.
        project: name of the project.
        label: column of the outcome.
        subject: column that is the same in every row of one person; None takes each row for a person.
        accept: takes the drafted treatments and bounds as the steward's own. A model that uses them has no
            differential-privacy guarantee, and is reported so.
        folder: where the policy will lie; a file inside it is named relative to it.
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
    studied = study(profile, label=label, subject=subject, consent=consent)
    proposals, granted = _settle(studied, table, rows=profile.rows)
    contents = _contents(studied, proposals, granted, file=file, project=project, accept=accept, folder=folder)
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
            listed = ", ".join(repr(n) for n in names[:50]) + (" and more" if len(names) > 50 else "")
            raise DraftError(f"the {what} column {name!r} is not in the table; its columns are {listed}")
    if label == subject:
        raise DraftError(f"the column {label!r} cannot be both label and subject; name two columns")
    if consent is not None and consent in {label, subject}:
        raise DraftError(f"the column {consent!r} cannot be the consent and label or subject; name another column")


def _settle(studied: Study, table: Dataset, *, rows: int) -> tuple[tuple[Proposal, ...], Mapping[str, tuple[str, ...]]]:
    """The second pass, and what it leaves: proposals, and spellings of consent that enough people have."""
    intervals = settings_for(studied.size, most_telling=0.5).intervals
    domains = [domain_of(a, studied.values[a.column], studied.hashes, intervals=intervals) for a in studied.assignments]
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
            propose(assignment, domain.settle(holders), telling=told, numbers_rows=_numbers_rows(values, rows=rows))
        )
    if not any(p.is_feature for p in proposals):
        raise DraftError(
            "no column can be a feature: each is the label, an identifier, a protected attribute, free text, tells the "
            "label almost without fail, or is the same for nearly everybody; deliver columns that the purpose needs"
        )
    return tuple(proposals), granted


def _count(studied: Study, domains: list[Domain], table: Dataset) -> Holders:
    candidates: dict[str, frozenset[Value]] = {d.column: d.values for d in domains}
    types = {a.column: a.type for a in studied.assignments}
    # Label and consent are compared as the texts of the source, and so they are counted.
    candidates[studied.label], types[studied.label] = frozenset({studied.target.positive}), ColumnType.STRING
    for name, texts in studied.granted.items():
        candidates[name], types[name] = frozenset(texts), ColumnType.STRING
    return count_holders(table, candidates, types=types, people=studied.people)


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
