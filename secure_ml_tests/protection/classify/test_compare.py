from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from secure_ml.policy.columns import ColumnPolicy
from secure_ml.policy.gates import DisclosureControl
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.compare import Discrepancy, DiscrepancyKind, Severity, compare
from secure_ml.protection.classify.detector import Detector
from secure_ml.protection.classify.detectors import standard_detectors
from secure_ml.protection.classify.finding import Combination, Finding

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

Declaration = tuple[Category, Entity, Identifiability]


def column(declaration: Declaration, *, treatment: str = "drop", step: int | None = None, **more: Any) -> ColumnPolicy:
    category, entity, identifiability = declaration
    treated = {"kind": treatment} | ({"step": step} if step else {})
    fields = {"category": category, "entity": entity, "identifiability": identifiability, "type": "string"}
    used = {"description": "a column", "treatment": treated, "use": {"kind": "never"}}
    return ColumnPolicy.model_validate({**fields, **used, **more})


def compared(finding: Finding, declaration: ColumnPolicy, **more: Any) -> list[Discrepancy]:
    return list(compare([finding], {finding.column: declaration}, blocking_confidence=0.6, **more))


AADHAAR_DECLARED = (Category.PII, Entity.AADHAAR, Identifiability.DIRECT)
HEALTH = replace(INCOME, entity=Entity.HEALTH, category=Category.HEALTH)
B, W = Severity.BLOCKING, Severity.WARNING
UNDECLARED, UNDER, OTHER = DiscrepancyKind.UNDECLARED, DiscrepancyKind.UNDER_DECLARED, DiscrepancyKind.OTHER_ENTITY
OTHER_CATEGORY, SINGLES_OUT, FEW = (
    DiscrepancyKind.OTHER_CATEGORY, DiscrepancyKind.SINGLES_OUT, DiscrepancyKind.FEW_VALUES,
)  # fmt: skip
NOT_SENSITIVE = (Category.INTERNAL, Entity.NONE, Identifiability.NONE)


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
        (HEALTH, (Category.HEALTH, Entity.HEALTH, Identifiability.QUASI), None),
        (HEALTH, (Category.PII, Entity.HEALTH, Identifiability.QUASI), (OTHER_CATEGORY, W)),
        (HEALTH, (Category.INTERNAL, Entity.HEALTH, Identifiability.QUASI), (UNDER, B)),
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
    declared = {} if declaration is None else {finding.column: column(declaration)}
    discrepancies = compare([finding], declared, blocking_confidence=0.6)
    assert [(found.kind, found.severity) for found in discrepancies] == ([] if expected is None else [expected])


@pytest.mark.parametrize("detector", standard_detectors(), ids=lambda detector: detector.entity)
def test_whatever_a_detector_finds_for_certain_blocks_a_column_that_is_declared_harmless(detector: Detector) -> None:
    found = replace(FOUND, entity=detector.entity, category=detector.category, identifiability=detector.identifiability)
    (told,) = compared(found, column(NOT_SENSITIVE))
    # The number of a record is of no person, as long as no other column is.
    assert told.severity is (W if detector.entity is Entity.RECORD_ID else B)
    right = column((detector.category, detector.entity, detector.identifiability))
    assert compared(found, right) == []


def test_every_entity_has_one_category_and_one_identifiability() -> None:
    known = {(d.entity, d.category, d.identifiability) for d in standard_detectors()}
    assert {entity for entity, _, _ in known} == set(Entity) - {Entity.NONE}
    assert len(known) == len(Entity) - 1
    assert {category for _, category, _ in known} == set(Category)


def test_the_message_says_what_to_write() -> None:
    (discrepancy,) = compare([FOUND], {}, blocking_confidence=0.6)
    for part in ("'id_proof'", "category: pii", "entity: aadhaar", "identifiability: direct", "treatment"):
        assert part in discrepancy.message


def test_what_blocks_comes_first() -> None:
    findings = [replace(PLAIN, column="a"), replace(FOUND, column="b"), replace(PLAIN, column="c")]
    assert [found.column for found in compare(findings, {}, blocking_confidence=0.6)] == ["b", "a", "c"]


# What singles people out


def singling_out(low: float, *columns: str, rows: int = 5_000) -> Finding:
    one = Combination(columns=("visits", *columns), share=low + 0.02, low=low, high=low + 0.04, classes=900)
    found = replace(PLAIN, column="visits", identifiability=Identifiability.QUASI, singles_out=(one,))
    return replace(found, rows=rows, reason=f"{PLAIN.reason}; it singles people out")


@pytest.mark.parametrize(
    ("finding", "declared", "expected"),
    [
        (singling_out(0.6, "ward"), column(NOT_SENSITIVE, treatment="keep"), (SINGLES_OUT, B)),
        (singling_out(0.6), column(NOT_SENSITIVE, treatment="keep"), (SINGLES_OUT, B)),
        (singling_out(0.4, "ward"), column(NOT_SENSITIVE, treatment="keep"), (SINGLES_OUT, W)),
        (
            singling_out(0.6, "ward"),
            column(NOT_SENSITIVE, type="number", treatment="generalise_number", step=5),
            (SINGLES_OUT, W),
        ),
        (singling_out(0.6, "ward"), column(NOT_SENSITIVE, treatment="drop"), None),
        (singling_out(0.6, "ward"), column(NOT_SENSITIVE, treatment="redact"), None),
        (
            singling_out(0.6, "ward"),
            column((Category.INTERNAL, Entity.NONE, Identifiability.QUASI), treatment="keep"),
            None,
        ),
    ],
)
def test_who_singles_people_out_may_not_be_kept_as_if_it_did_not(
    finding: Finding, declared: ColumnPolicy, expected: tuple[DiscrepancyKind, Severity] | None
) -> None:
    found = [(d.kind, d.severity) for d in compared(finding, declared)]
    assert found == ([] if expected is None else [expected])


def test_an_undeclared_column_that_singles_people_out_is_a_warning_with_the_reason() -> None:
    (told,) = compare([singling_out(0.6, "ward")], {}, blocking_confidence=0.6)
    assert told.severity is W
    assert "it singles people out" in told.message
    assert "identifiability: quasi" in told.message


@pytest.mark.parametrize(
    ("low", "rows", "words"),
    [(0.6, 5_000, "62 % of rows"), (0.2, 40, "some rows"), (0.6, 20, "some rows"), (0.979, 5_000, "nearly all rows")],
)
def test_a_share_is_told_under_disclosure_control(low: float, rows: int, words: str) -> None:
    declared = column(NOT_SENSITIVE, treatment="keep")
    (told,) = compared(singling_out(low, "ward", "shift", rows=rows), declared)
    assert f"together with ward and shift it points to one person in {words}" in told.message


def test_the_policy_says_how_many_stand_behind_a_figure() -> None:
    strict = DisclosureControl(minimum_positives=4_000)
    (told,) = compared(singling_out(0.6), column(NOT_SENSITIVE, treatment="keep"), disclosure=strict)
    assert "by itself it points to one person in some rows" in told.message


# Values that counting tells apart

KEYED = (Category.PII, Entity.SUBJECT_ID, Identifiability.PSEUDONYM)


def of_values(distinct: int | None, cells: int) -> Finding:
    return replace(PLAIN, distinct=distinct, distinct_is_exact=True, rows=cells + 3, non_null=cells)


@pytest.mark.parametrize("treatment", ["token", "deterministic_encryption", "format_preserving"])
@pytest.mark.parametrize(
    ("distinct", "cells", "blocks"),
    [
        (300, 300, False),  # a small table of keys
        (999, 9_990, False),
        (999, 9_991, True),
        (1_000, 1_000_000, False),
        (12, 40_000, True),
        (1, 11, True),
        (0, 0, False),
        (None, 40_000, False),  # a table of findings of format 1
    ],
)
def test_a_token_of_few_values_is_refused(distinct: int | None, cells: int, blocks: bool, treatment: str) -> None:
    found = compared(of_values(distinct, cells), column(KEYED, treatment=treatment))
    assert [(d.kind, d.severity) for d in found] == ([(FEW, B)] if blocks else [])


@pytest.mark.parametrize("treatment", ["drop", "redact", "keep"])
def test_few_values_that_nobody_tokenises_are_no_matter(treatment: str) -> None:
    assert compared(of_values(3, 40_000), column(KEYED, treatment=treatment)) == []


def test_the_subject_needs_its_token_however_few_there_are() -> None:
    finding, declared = of_values(40, 40_000), column(KEYED, treatment="token")
    assert compared(finding, declared, subject=finding.column) == []
    assert compared(finding, declared, subject="another")


def test_no_override_helps_a_token_of_few_values() -> None:
    override = {"entity": "none", "reason": "the steward has looked at it and says so"}
    (found,) = compared(of_values(12, 40_000), column(KEYED, treatment="token", override=override))
    assert found.severity is B


# The steward's override

ORDER = replace(FOUND, column="order_number", entity=Entity.CARD, confidence=0.9)
REASON = "order numbers of the shop, one in ten passes Luhn by chance"


def overriding(entity: str, **more: Any) -> ColumnPolicy:
    return column(NOT_SENSITIVE, treatment="keep", override={"entity": entity, "reason": REASON}, **more)


def test_an_override_takes_the_place_of_the_block_and_tells_its_reason() -> None:
    (found,) = compared(ORDER, overriding("card"))
    assert (found.kind, found.severity, found.entity) == (UNDER, Severity.OVERRIDDEN, Entity.CARD)
    assert REASON in found.message
    assert "card with confidence 0.90" in found.message
    assert not found.message.startswith("CAUTION")


@pytest.mark.parametrize(
    "finding", [replace(ORDER, entity=Entity.AADHAAR), replace(ORDER, entity=Entity.IBAN), replace(INCOME, column="x")]
)
def test_an_override_of_one_finding_leaves_every_other_blocking(finding: Finding) -> None:
    (found,) = compared(finding, overriding("card"))
    assert found.severity is B
    assert REASON not in found.message


def test_an_override_of_what_singles_people_out_names_no_entity() -> None:
    (found,) = compared(singling_out(0.6, "ward"), overriding("none"))
    assert (found.kind, found.severity) == (SINGLES_OUT, Severity.OVERRIDDEN)
    (found,) = compared(singling_out(0.6, "ward"), overriding("card"))
    assert found.severity is B


def test_an_override_of_a_certain_direct_identifier_is_told_first() -> None:
    certain = replace(ORDER, column="last", confidence=0.97, validated=900)
    declared = {name: overriding("card") for name in ("order_number", "last")}
    first, second = compare([ORDER, certain], declared, blocking_confidence=0.6)
    assert first.column == "last"
    assert first.message.startswith("CAUTION, a direct identifier whose cells pass its check")
    assert not second.message.startswith("CAUTION")


@pytest.mark.parametrize("reason", ["", "trust me"])
def test_an_override_needs_a_reason(reason: str) -> None:
    with pytest.raises(ValidationError, match=r"override\.reason"):
        column(NOT_SENSITIVE, override={"entity": "card", "reason": reason})


def test_what_a_column_is_declared_to_be_is_not_overridden() -> None:
    with pytest.raises(ValidationError, match="not overridden but right"):
        column(AADHAAR_DECLARED, override={"entity": "aadhaar", "reason": REASON})


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((4_000, 900, 900, 800), "900 of 4,000 cells have the shape; 800 of 900 examined pass the check"),
        ((4_000, 3, 3, 3), "fewer than 10 of 4,000 cells have the shape; fewer than 10 of fewer than 10 examined pass"),
        ((4_000, 3_999, 3_999, 10), "nearly all of 4,000 cells have the shape; 10 of 3,999 examined pass the check"),
        ((4_000, 3_990, 0, 0), "3,990 of 4,000 cells have the shape)"),
        ((4_000, 900, 900, 0), "0 of 900 examined pass the check"),
        ((7, 7, 7, 7), "fewer than 10 of fewer than 10 cells"),
    ],
)
def test_counts_of_few_cells_are_told_in_no_message(counts: tuple[int, ...], words: str) -> None:
    non_null, matches, examined, validated = counts
    finding = replace(
        FOUND, rows=4_000, non_null=non_null, pattern_matches=matches, examined=examined, validated=validated,
        reason="3 of 3 cells", embedded={Entity.EMAIL: 2, Entity.PHONE: 1_200},
    )  # fmt: skip
    (found,) = compare([finding], {}, blocking_confidence=0.6)
    overridden = column(
        (Category.PII, Entity.NONE, Identifiability.NONE), override={"entity": "aadhaar", "reason": "x" * 20}
    )
    (heeded,) = compared(replace(finding, embedded={}), overridden)
    assert words in found.message.replace("; longer", ")")
    assert words in heeded.message
    assert "email in fewer than 10 cells, phone in 1,200 cells" in found.message
    assert "3 of 3" not in found.message + heeded.message


def test_how_many_cells_are_few_is_the_policys_word_and_whom_a_column_singles_out_is_told_with_them() -> None:
    finding = replace(FOUND, reason="10 of 10 cells have the shape; it singles people out together with shop")
    (found,) = compare([finding], {}, blocking_confidence=0.6, disclosure=DisclosureControl(minimum_positives=11))
    assert "(fewer than 11 of fewer than 11 cells have the shape; fewer" in found.message
    assert found.message.count("; it singles people out together with shop)") == 1


def test_a_column_whose_name_is_not_shown_is_to_be_declared_by_its_name_in_the_source() -> None:
    (found,) = compare([replace(FOUND, column="undeclared_column_7")], {}, blocking_confidence=0.6)
    assert "Write under columns: its name in the source, which is not shown" in found.message
    assert "`undeclared_column_7`" not in found.message
