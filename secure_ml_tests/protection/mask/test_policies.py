"""What holds for every policy that is accepted: which label each treatment earns, and what a model may learn from."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.policy.project import Policy
from secure_ml.policy.treatments import TREATMENTS
from secure_ml.protection.mask.plan import plan_without_keys
from secure_ml.vault.labels import PUBLIC
from secure_ml_tests.protection.mask.every_kind import SPECS
from secure_ml_tests.protection.mask.tables import COLUMNS, column, policy

FEATURE = {"kind": "feature", "reason": "the purpose needs it", "categories": ["a", "b"]}
USES: Mapping[str, Any] = {
    "feature": FEATURE, "fairness": {"kind": "fairness"}, "review": {"kind": "review"},
    "administrative": {"kind": "administrative"}, "never": {"kind": "never"},
}  # fmt: skip
TREATED = [{"kind": kind, **fields} for kind, specs in SPECS.items() for fields in specs]
LEVELS = [level.value for level in Identifiability]
TYPES = ["string", "integer", "number", "boolean", "date"]
LEVEL = {level: level.rank for level in Identifiability}

PSEUDONYMS = {"token", "format_preserving", "deterministic_encryption", "surrogate"}
WHOLE = {"keep", "top_bottom_code", "scrub_text"}
COARSER = {"partial_mask"} | {f"generalise_{what}" for what in ("number", "date", "geography", "category")}
HIDES_A_NAME = {"redact", "partial_mask", "generalise_geography", *PSEUDONYMS}
"""Treatments after which a direct identifier may bear a lower label; written down here, not read from the product."""


def accepted(declared: Mapping[str, Any], **changes: Any) -> Policy | None:
    """The invented policy with one more column, `x`; None where it is refused."""
    try:
        return policy({**COLUMNS, "x": declared}, **changes)
    except ValidationError:
        return None


def require_earned(made: Policy) -> None:
    """The column's label is what its treatment earns, and a model learns from nobody's name."""
    declared = made.columns["x"]
    label = plan_without_keys(made).labels(made).get("x")
    kind, before = declared.treatment.kind, LEVEL[declared.identifiability]
    if label is None:
        assert kind == "drop"
        assert declared.use.kind == "never"
        return
    after = LEVEL[label.identifiability]
    if kind == "redact":
        assert label == PUBLIC
    else:
        assert label.categories >= {declared.category} - {Category.INTERNAL}
        # The subject's column takes part in some treatments, and its label flows in.
        assert declared.entity in {label.entity, Entity.NONE} or label.entity is Entity.FREE_TEXT
    if kind in PSEUDONYMS:
        assert label.identifiability is Identifiability.PSEUDONYM
    if kind in COARSER:
        assert after == min(before, LEVEL[Identifiability.QUASI])
    if kind in WHOLE:
        assert after >= before
    if declared.identifiability is Identifiability.DIRECT:
        assert kind in HIDES_A_NAME | {"scrub_text"}
    if kind != "redact":
        assert after >= min(before, LEVEL[Identifiability.QUASI])
    if declared.use.kind in {"feature", "fairness"}:
        assert after <= LEVEL[Identifiability.QUASI]
        assert kind not in PSEUDONYMS | {"redact", "partial_mask", "scrub_text"}


def every_column() -> Iterator[dict[str, Any]]:
    for treatment, level, use, kind in product(TREATED, LEVELS, USES, TYPES):
        yield column(kind, treatment, level=level, use=USES[use])


def test_every_treatment_earns_its_label_at_every_level_and_use() -> None:
    seen = set()
    for declared in every_column():
        made = accepted(declared)
        if made is not None:
            require_earned(made)
            seen.add(made.columns["x"].treatment.kind)
    assert seen == set(TREATMENTS)


@settings(max_examples=300, deadline=None)
@given(
    treatment=st.sampled_from(TREATED),
    entity=st.sampled_from(Entity),
    level=st.sampled_from(LEVELS),
    use=st.sampled_from(sorted(USES)),
    kind=st.sampled_from(TYPES),
    category=st.sampled_from(Category),
    part=st.sampled_from(["none", "subject", "label", "consent"]),
)
def test_no_policy_makes_a_pseudonym_a_feature_or_a_label_too_low(
    treatment: dict[str, Any], entity: Entity, level: str, use: str, kind: str, category: Category, part: str
) -> None:
    declared = column(kind, treatment, entity=entity, level=level, category=category, use=USES[use])
    parts = {
        "subject": {"subject": {"column": "x"}},
        "label": {"label": {"column": "x", "positive": "a"}},
        "consent": {"consent": {"column": "x", "granted": ["Y"]}},
    }
    made = accepted(declared, **parts.get(part, {}))
    if made is None:
        return
    if part == "subject":
        assert made.columns["x"].treatment.kind == "token"
    if part == "label":
        assert made.columns["x"].identifiability is not Identifiability.DIRECT
        assert "x" not in made.features
    require_earned(made)


@pytest.mark.parametrize(
    ("kind", "treatment"),
    [
        ("integer", {"kind": "keep"}),
        ("integer", {"kind": "top_bottom_code", "top": 10**15}),
        ("integer", {"kind": "generalise_number", "step": 1}),
        ("number", {"kind": "generalise_number", "step": 1e-9}),
        ("string", {"kind": "generalise_category", "groups": {"a": ["C-1001"], "b": ["C-1002"]}}),
    ],
)
def test_a_pseudonym_does_not_become_a_feature_by_intervals_of_one_value(kind: str, treatment: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="a pseudonym cannot be"):
        policy({**COLUMNS, "x": column(kind, treatment, entity="account_number", level="pseudonym", use=FEATURE)})


@pytest.mark.parametrize("kind", sorted(PSEUDONYMS))
@pytest.mark.parametrize(
    "entity",
    ["gender", "religion", "ethnicity", "pin_code", "place", "date_of_birth", "income", "icd_code", "health"],
)
def test_no_pseudonym_is_made_of_an_entity_of_few_values(entity: str, kind: str) -> None:
    more = {"by": "value", "provider": "place"} if kind == "surrogate" else {}
    with pytest.raises(ValidationError, match="has so few values"):
        policy({**COLUMNS, "x": column(treatment={"kind": kind, **more}, entity=entity, level="quasi", use="review")})


@pytest.mark.parametrize(
    ("treatment", "use"), [("keep", use) for use in USES if use != "administrative"] + [("redact", "administrative")]
)
def test_the_outcome_is_kept_and_is_nothing_else(treatment: str, use: str) -> None:
    with pytest.raises(ValidationError, match="needs treatment keep and use administrative"):
        policy(
            {**COLUMNS, "x": column(treatment=treatment, use=USES[use])}, label={"column": "x", "positive": "approved"}
        )
