"""Compares what was found with what the policy declares.

Belongs here: the order of sensitivity, and the message that says what to write or to change.
Must stay out: reading data or policies.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from secure_ml.guard.column_names import is_stand_in
from secure_ml.policy.columns import ColumnPolicy
from secure_ml.policy.gates import DisclosureControl
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.finding import Finding
from secure_ml.protection.classify.telling import evidence_in_words, share_in_words


class DiscrepancyKind(StrEnum):
    """How a finding and a declaration differ."""

    UNDECLARED = "undeclared"
    UNDER_DECLARED = "under_declared"
    OTHER_ENTITY = "other_entity"
    OTHER_CATEGORY = "other_category"
    SINGLES_OUT = "singles_out"
    FEW_VALUES = "few_values"


class Severity(StrEnum):
    """What follows from a discrepancy, gravest first."""

    BLOCKING = "blocking"
    OVERRIDDEN = "overridden"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Discrepancy:
    """One column whose declaration does not cover what was found.

    Attributes:
        column: its name.
        entity: what was found in it.
        kind: how they differ.
        severity: what follows.
        message: what to write or to change; no value.
    """

    column: str
    entity: Entity
    kind: DiscrepancyKind
    severity: Severity
    message: str


FEWEST_VALUES = 1_000
"""Different values below which those of a column can be listed by anybody, and told apart by how often each occurs."""

CELLS_TO_COUNT = 10
"""Cells for each value from which counting tells them apart; a small table of keys has one."""

CERTAIN = 0.95
"""Confidence from which an override of a direct identifier is told before all others."""

_MOST_ROWS = 0.5
_ONE_FOR_ONE = frozenset({"token", "format_preserving", "deterministic_encryption", "surrogate"})
_GONE = frozenset({"drop", "redact"})


def compare(
    findings: Iterable[Finding],
    declared: Mapping[str, ColumnPolicy],
    *,
    blocking_confidence: float,
    subject: str | None = None,
    disclosure: DisclosureControl | None = None,
) -> tuple[Discrepancy, ...]:
    """List where the policy says less than the data, or does less than they need.

    Args:
        findings: One a column.
        declared: The declaration of each column, by name.
        blocking_confidence: Confidence from which a sensitive finding blocks; below it is a warning.
        subject: The column that names the subject, whose token is needed however few subjects there are.
        disclosure: Which shares may be told as figures; as a policy has it that says nothing of it, by default.

    Returns:
        Blocking ones first, then overridden ones, then warnings; each group in the order of the findings, but for an
        override of a direct identifier that is certain, which comes before the others.
    """
    told = disclosure or DisclosureControl()
    found = [
        discrepancy
        for finding in findings
        for discrepancy in _judge(finding, declared.get(finding.column), blocking_confidence, subject, told)
    ]
    gravest_first = list(Severity)
    return tuple(sorted(found, key=lambda d: (gravest_first.index(d.severity), not d.message.startswith(_CAUTION))))


def _judge(
    finding: Finding, column: ColumnPolicy | None, threshold: float, subject: str | None, told: DisclosureControl
) -> Iterator[Discrepancy]:
    if column is None:
        yield _discrepancy(finding, DiscrepancyKind.UNDECLARED, "the policy does not declare it", threshold, told)
        return
    declared = _against(finding, column, threshold, told)
    if declared is not None:
        yield _overridden(declared, finding, column, told)
    if finding.column != subject and column.treatment.kind in _ONE_FOR_ONE and _falls_to_counting(finding):
        yield _few_values(finding, column)


def _against(finding: Finding, column: ColumnPolicy, threshold: float, told: DisclosureControl) -> Discrepancy | None:
    """What is found against the declared words, without the treatment."""
    if finding.entity is Entity.NONE:
        return _singles_out(finding, column, told) if _is_declared_too_low(finding, column) else None
    if _is_declared_too_low(finding, column):
        problem = f"the policy declares identifiability {column.identifiability}"
        return _discrepancy(finding, DiscrepancyKind.UNDER_DECLARED, problem, threshold, told)
    if column.category is Category.INTERNAL and finding.category is not Category.INTERNAL:
        problem = f"the policy declares category {column.category}"
        return _discrepancy(finding, DiscrepancyKind.UNDER_DECLARED, problem, threshold, told)
    if finding.confidence < threshold:
        return None
    # The treatment follows the declaration; the protection declared is no weaker, so nothing leaks.
    if finding.entity is not column.entity:
        problem = f"the policy declares entity {column.entity}"
        return _discrepancy(finding, DiscrepancyKind.OTHER_ENTITY, problem, float("inf"), told)
    # Health is a special category (GDPR Art. 9): whoever may see personal or financial columns may not see it yet.
    if finding.category is Category.HEALTH is not column.category:
        problem = f"the policy declares category {column.category}"
        return _discrepancy(finding, DiscrepancyKind.OTHER_CATEGORY, problem, float("inf"), told)
    return None


def _is_declared_too_low(finding: Finding, column: ColumnPolicy) -> bool:
    return finding.identifiability.rank > column.identifiability.rank


def _singles_out(finding: Finding, column: ColumnPolicy, told: DisclosureControl) -> Discrepancy | None:
    """A column that no detector knows and that singles people out; where its cells go no further, nothing follows."""
    if column.treatment.kind in _GONE or not finding.singles_out:
        return None
    strongest = max(finding.singles_out, key=lambda combination: combination.low)
    others = [name for name in strongest.columns if name != finding.column]
    how = f"together with {' and '.join(others)}" if others else "by itself"
    blocking = column.treatment.kind == "keep" and strongest.low >= _MOST_ROWS
    return Discrepancy(
        column=finding.column,
        entity=finding.entity,
        kind=DiscrepancyKind.SINGLES_OUT,
        severity=Severity.BLOCKING if blocking else Severity.WARNING,
        message=f"column {finding.column!r}: the policy declares identifiability {column.identifiability}, but {how} "
        f"it points to one person in {share_in_words(strongest.share, finding.rows, told)}. Declare identifiability: "
        f"{Identifiability.QUASI}, so that it counts when anonymity is measured, and generalise it, or drop it",
    )


def _falls_to_counting(finding: Finding) -> bool:
    few = finding.distinct is not None and finding.distinct < FEWEST_VALUES
    return few and finding.non_null > CELLS_TO_COUNT * (finding.distinct or 0)


def _few_values(finding: Finding, column: ColumnPolicy) -> Discrepancy:
    return Discrepancy(
        column=finding.column,
        entity=finding.entity,
        kind=DiscrepancyKind.FEW_VALUES,
        severity=Severity.BLOCKING,
        message=f"column {finding.column!r}: {column.treatment.kind} puts another value in the place of each, but "
        f"there are fewer than {FEWEST_VALUES:,}, and each occurs more than {CELLS_TO_COUNT} times on average: whoever "
        "counts how often each occurs knows which is which. Drop, redact or generalise it, or keep it, which at least "
        "promises nothing; an override does not help, since this is a count",
    )


def _overridden(
    discrepancy: Discrepancy, finding: Finding, column: ColumnPolicy, told: DisclosureControl
) -> Discrepancy:
    """The same, unless the steward has overridden exactly this finding."""
    override = column.override
    if override is None or override.entity is not finding.entity:
        return discrepancy
    what = "that it singles people out" if finding.entity is Entity.NONE else f"the finding {_found(finding, told)}"
    certain = finding.identifiability is Identifiability.DIRECT and finding.confidence >= CERTAIN and finding.validated
    message = f"column {finding.column!r}: the policy overrides {what}, since: {override.reason}"
    return replace(discrepancy, severity=Severity.OVERRIDDEN, message=f"{_CAUTION}{message}" if certain else message)


_CAUTION = "CAUTION, a direct identifier whose cells pass its check: "


def _discrepancy(
    finding: Finding, kind: DiscrepancyKind, problem: str, threshold: float, told: DisclosureControl
) -> Discrepancy:
    sensitive = finding.category is not Category.INTERNAL
    blocking = sensitive and finding.confidence >= threshold
    return Discrepancy(
        column=finding.column,
        entity=finding.entity,
        kind=kind,
        severity=Severity.BLOCKING if blocking else Severity.WARNING,
        message=f"column {finding.column!r}: {problem}, but {_told(finding, told)}. {_remedy(finding)}",
    )


def _told(finding: Finding, told: DisclosureControl) -> str:
    if finding.entity is not Entity.NONE:
        return f"{finding.entity} was found {_how_surely(finding, told)}"
    if finding.identifiability is Identifiability.NONE:
        return "it is in the data (nothing sensitive was found in it)"
    return f"it is in the data ({finding.reason})"


def _found(finding: Finding, told: DisclosureControl) -> str:
    return f"{finding.entity} {_how_surely(finding, told)}"


def _how_surely(finding: Finding, told: DisclosureControl) -> str:
    return f"with confidence {finding.confidence:.2f} ({evidence_in_words(finding, told)})"


def _remedy(finding: Finding) -> str:
    name = f"`{finding.column}`"
    if is_stand_in(finding.column):
        name = "its name in the source, which is not shown since it could be somebody's,"
    return (
        f"Write under columns: {name} with category: {finding.category}, entity: {finding.entity}, "
        f"identifiability: {finding.identifiability}, and a treatment, or drop the column at the source"
    )
