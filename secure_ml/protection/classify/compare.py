"""Compares what was found with what the policy declares.

Belongs here: the order of sensitivity and the message that says what to write. Must stay out: reading data or policies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from secure_ml.guard.column_names import is_stand_in
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.finding import Finding

Declaration = tuple[Category, Entity, Identifiability]


class DiscrepancyKind(StrEnum):
    """How a finding and a declaration differ."""

    UNDECLARED = "undeclared"
    UNDER_DECLARED = "under_declared"
    OTHER_ENTITY = "other_entity"


class Severity(StrEnum):
    """What follows from a discrepancy."""

    BLOCKING = "blocking"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Discrepancy:
    """One column whose declaration does not cover what was found."""

    column: str
    kind: DiscrepancyKind
    severity: Severity
    message: str


def compare(
    findings: Iterable[Finding], declared: Mapping[str, Declaration], *, blocking_confidence: float
) -> tuple[Discrepancy, ...]:
    """List where the policy says less than the data.

    Args:
        findings: One a column.
        declared: Category, entity and identifiability by column, as the policy declares them.
        blocking_confidence: Confidence from which a sensitive finding blocks; below it is a warning.

    Returns:
        Blocking ones first, each group in the order of the findings.
    """
    found = [
        discrepancy
        for finding in findings
        if (discrepancy := _judge(finding, declared.get(finding.column), blocking_confidence)) is not None
    ]
    return tuple(sorted(found, key=lambda discrepancy: discrepancy.severity is not Severity.BLOCKING))


def _judge(finding: Finding, declared: Declaration | None, threshold: float) -> Discrepancy | None:
    if declared is None:
        return _discrepancy(finding, DiscrepancyKind.UNDECLARED, "the policy does not declare it", threshold)
    problem = _under_declared(finding, declared)
    if problem:
        return _discrepancy(finding, DiscrepancyKind.UNDER_DECLARED, problem, threshold)
    _, entity, _ = declared
    if finding.entity is not Entity.NONE and finding.entity is not entity and finding.confidence >= threshold:
        problem = f"the policy declares entity {entity}"
        # The treatment follows the declaration; the protection declared is no weaker, so nothing leaks.
        return _discrepancy(finding, DiscrepancyKind.OTHER_ENTITY, problem, float("inf"))
    return None


def _under_declared(finding: Finding, declared: Declaration) -> str:
    category, _, identifiability = declared
    if finding.entity is Entity.NONE:
        return ""
    if finding.identifiability.rank > identifiability.rank:
        return f"the policy declares identifiability {identifiability}"
    if category is Category.INTERNAL and finding.category is not Category.INTERNAL:
        return f"the policy declares category {category}"
    return ""


def _discrepancy(finding: Finding, kind: DiscrepancyKind, problem: str, threshold: float) -> Discrepancy:
    sensitive = finding.category is not Category.INTERNAL
    blocking = sensitive and finding.confidence >= threshold
    return Discrepancy(
        column=finding.column,
        kind=kind,
        severity=Severity.BLOCKING if blocking else Severity.WARNING,
        message=f"column {finding.column!r}: {problem}, but {_found(finding)}. {_remedy(finding)}",
    )


def _found(finding: Finding) -> str:
    if finding.entity is Entity.NONE:
        return "it is in the data (nothing sensitive was found in it)"
    return f"{finding.entity} was found with confidence {finding.confidence:.2f} ({finding.reason})"


def _remedy(finding: Finding) -> str:
    name = f"`{finding.column}`"
    if is_stand_in(finding.column):
        name = "its name in the source, which is not shown since it could be somebody's,"
    return (
        f"Write under columns: {name} with category: {finding.category}, entity: {finding.entity}, "
        f"identifiability: {finding.identifiability}, and a treatment, or drop the column at the source"
    )
