"""Keys of masking: each purpose has its own, and no two columns share one that are not of the same kind."""

from itertools import chain, combinations
from typing import get_args

import pyarrow as pa
import pytest

from secure_ml.keys.derivation import derive
from secure_ml.policy.labels import Entity
from secure_ml.policy.treatments import SurrogateKind
from secure_ml.protection.mask.date_shift import DATE_SHIFT_PURPOSE
from secure_ml.protection.mask.deterministic_encryption import encryption_purpose
from secure_ml.protection.mask.format_preserving import format_purpose
from secure_ml.protection.mask.plan import make_plan
from secure_ml.protection.mask.surrogate import surrogate_purpose
from secure_ml.protection.mask.token import NO_SUBJECT_PURPOSE, token_purpose
from secure_ml_tests.protection.mask.tables import COLUMNS, column, policy

VALUE = "4111111111111111"
SECRET = bytes(range(32))


def of_project(purpose: str) -> bytes:
    """The key of a purpose, as the kernel derives it from a project's secret."""
    return derive(SECRET, purpose=purpose)


def test_no_two_purposes_are_one() -> None:
    by_entity = [[of(entity) for entity in Entity] for of in (token_purpose, format_purpose, encryption_purpose)]
    invented = [surrogate_purpose(kind, by) for kind in get_args(SurrogateKind) for by in ("subject", "value")]
    every = [*chain(*by_entity), *invented, DATE_SHIFT_PURPOSE, NO_SUBJECT_PURPOSE, "subject"]
    assert len(set(every)) == len(every) == 3 * len(Entity) + 17
    assert "\0" not in "".join(every)


def test_a_surrogates_purpose_stays_what_it_was() -> None:
    assert surrogate_purpose("email", "value") == "surrogate:email:value"


@pytest.mark.parametrize("treatment", ["token", "format_preserving", "deterministic_encryption"])
def test_one_value_in_columns_of_other_entities_and_in_the_subjects_has_nothing_in_common(treatment: str) -> None:
    entities = ["none", "card", "account_number", "record_id", "subject_id", "medical_record_number"]
    columns = {f"x_{entity}": column(treatment=treatment, entity=entity) for entity in entities}
    subject = {"customer": column(treatment="token", entity="passport", level="direct", use="administrative")}
    plan = make_plan(policy({**COLUMNS, **columns, **subject}), key_for=of_project)
    made = [plan.treatments[name].apply(pa.array([VALUE])).values[0].as_py() for name in ("customer", *columns)]
    assert None not in made
    assert all(one != other for one, other in combinations(made, 2))


@pytest.mark.parametrize(("subjects", "alike"), [("subject_id", True), ("passport", False), ("none", False)])
def test_a_column_of_subjects_is_joined_with_the_subject_where_that_is_of_its_entity(
    subjects: str, alike: bool
) -> None:
    declared = policy(
        {
            **COLUMNS,
            "customer": column(treatment="token", entity=subjects, level="direct", use="administrative"),
            "referrer": column(treatment="token", entity="subject_id", level="direct", use="review"),
        }
    )
    plan = make_plan(declared, key_for=of_project)
    one, other = (plan.treatments[name].apply(pa.array(["C1001234"])).values for name in ("customer", "referrer"))
    assert one.equals(other) is alike
