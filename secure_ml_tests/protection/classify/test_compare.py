from dataclasses import replace

import pytest

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.compare import Declaration, DiscrepancyKind, Severity, compare
from secure_ml.protection.classify.finding import Finding

FOUND = Finding(
    column="id_proof",
    entity=Entity.AADHAAR,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    confidence=0.95,
    rows=10,
    non_null=10,
    pattern_matches=10,
    examined=10,
    validated=10,
    distinct_at_least=10,
    context=False,
    reason="10 of 10 cells have the shape",
)
PLAIN = replace(
    FOUND,
    entity=Entity.NONE,
    category=Category.INTERNAL,
    identifiability=Identifiability.NONE,
    confidence=0.0,
    reason="no detector found anything sensitive",
)
INCOME = replace(
    FOUND, entity=Entity.INCOME, category=Category.FINANCIAL, identifiability=Identifiability.QUASI, confidence=0.8
)

AADHAAR_DECLARED = (Category.PII, Entity.AADHAAR, Identifiability.DIRECT)
B, W = Severity.BLOCKING, Severity.WARNING
UNDECLARED, UNDER, OTHER = DiscrepancyKind.UNDECLARED, DiscrepancyKind.UNDER_DECLARED, DiscrepancyKind.OTHER_ENTITY


@pytest.mark.parametrize(
    ("finding", "declaration", "expected"),
    [
        (FOUND, AADHAAR_DECLARED, None),
        (PLAIN, AADHAAR_DECLARED, None),
        (PLAIN, (Category.INTERNAL, Entity.NONE, Identifiability.NONE), None),
        (FOUND, None, (UNDECLARED, B)),
        (PLAIN, None, (UNDECLARED, W)),
        (replace(FOUND, confidence=0.45), None, (UNDECLARED, W)),
        (FOUND, (Category.PII, Entity.NONE, Identifiability.NONE), (UNDER, B)),
        (FOUND, (Category.PII, Entity.AADHAAR, Identifiability.QUASI), (UNDER, B)),
        (FOUND, (Category.PII, Entity.SUBJECT_ID, Identifiability.PSEUDONYM), (UNDER, B)),
        (replace(FOUND, confidence=0.45), (Category.PII, Entity.NONE, Identifiability.NONE), (UNDER, W)),
        (INCOME, (Category.INTERNAL, Entity.INCOME, Identifiability.QUASI), (UNDER, B)),
        (INCOME, (Category.PII, Entity.INCOME, Identifiability.PSEUDONYM), None),
        (FOUND, (Category.PII, Entity.PHONE, Identifiability.DIRECT), (OTHER, W)),
        (
            replace(
                FOUND, entity=Entity.RECORD_ID, category=Category.INTERNAL, identifiability=Identifiability.PSEUDONYM
            ),
            (Category.INTERNAL, Entity.NONE, Identifiability.NONE),
            (UNDER, W),
        ),
    ],
)
def test_a_finding_is_held_against_its_declaration(
    finding: Finding, declaration: Declaration | None, expected: tuple[DiscrepancyKind, Severity] | None
) -> None:
    declared = {} if declaration is None else {finding.column: declaration}
    discrepancies = compare([finding], declared, blocking_confidence=0.6)
    assert [(found.kind, found.severity) for found in discrepancies] == ([] if expected is None else [expected])


def test_the_message_says_what_to_write() -> None:
    (discrepancy,) = compare([FOUND], {}, blocking_confidence=0.6)
    for part in ("'id_proof'", "category: pii", "entity: aadhaar", "identifiability: direct", "treatment"):
        assert part in discrepancy.message


def test_what_blocks_comes_first() -> None:
    findings = [replace(PLAIN, column="a"), replace(FOUND, column="b"), replace(PLAIN, column="c")]
    assert [found.column for found in compare(findings, {}, blocking_confidence=0.6)] == ["b", "a", "c"]
