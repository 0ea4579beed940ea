"""Suppression of rare combinations: what is emptied, what is kept, and that nobody is left alone among the emptied."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.policy.project import Policy
from secure_ml.protection.anonymity.judgement import measure
from secure_ml.protection.mask.inspection import inspect
from secure_ml.protection.mask.treatment import MaskingError
from secure_ml_tests.protection.anonymity import reference
from secure_ml_tests.protection.anonymity.tables import COLUMNS, masked, patients, rows
from secure_ml_tests.protection.mask.tables import column

QUASI = ("age", "pin")
COMMON = [(31, "577201", 10, "flu"), (32, "577300", 20, "gout"), (33, "577201", 30, "flu")]


def asked(**anonymity: Any) -> Policy:
    return patients(suppress=True, **{"maximum_suppressed": 0.5, **anonymity})


def test_rare_rows_lose_their_quasi_identifiers_and_nothing_else() -> None:
    people = rows(*COMMON, (55, "560001", 5, "flu"), (77, "990001", 7, "gout"), *COMMON)
    before = masked(people, patients()).read().to_pylist()
    after = masked(people, asked()).read().to_pylist()
    for number, (row, was) in enumerate(zip(after, before, strict=True)):
        expected = {**was, "age": None, "pin": None} if number in {3, 4} else was
        assert row == expected


def test_what_was_suppressed_is_counted_once() -> None:
    dataset = masked(rows(*COMMON, (55, "560001", 5, "flu"), (77, "990001", 7, "gout")), asked())
    dataset.read()
    summary = dataset.summary()
    assert (summary["suppressed"], summary["rows_read"], summary["rows_masked"]) == (2, 5, 5)
    assert "suppressed" not in masked(rows(*COMMON), patients()).summary()


def test_nobody_is_the_only_one_who_was_suppressed() -> None:
    people = rows(*COMMON, *[(41, "560001", 1, "flu")] * 2, (77, "990001", 7, "gout"))
    found = masked(people, asked()).read(QUASI).to_pylist()
    emptied = [number for number, row in enumerate(found) if row == {"age": None, "pin": None}]
    # The smallest of the others joins the one.
    assert emptied == [3, 4, 5]


def test_those_who_had_no_quasi_identifiers_are_company() -> None:
    people = rows(*COMMON, (None, None, 1, "flu"), (None, None, 1, "flu"), (77, "990001", 7, "gout"))
    dataset = masked(people, asked())
    assert sum(row["age"] is None for row in dataset.read().to_pylist()) == 3
    assert dataset.summary()["suppressed"] == 1


def test_the_suppressed_are_as_diverse_as_a_class_must_be() -> None:
    policy = asked(sensitive=["ill"], l_diversity={"kind": "distinct", "minimum": 2}, maximum_suppressed=0.9)
    people = rows(*COMMON, *COMMON, (55, "560001", 5, "gout"), (77, "990001", 7, "gout"), *COMMON[:2] * 2)
    people += rows((41, "110001", 1, "flu", "C-x"), (41, "110001", 1, "gout", "C-y"))
    found = inspect(masked(people, policy), policy)
    assert found.classes is not None
    assert measure(found.classes, policy.anonymity).diversity["ill"] == 2


def test_too_much_to_suppress_is_refused_with_what_to_do() -> None:
    people = rows(*COMMON, (55, "560001", 5, "flu"), (77, "990001", 7, "gout"))
    with pytest.raises(MaskingError, match=r"40\.0% of the rows .* allows 10\.0%; generalise further"):
        masked(people, asked(maximum_suppressed=0.1)).read()


def test_a_pass_over_other_columns_alone_counts_no_classes() -> None:
    people = rows((55, "560001", 5, "flu"), (77, "990001", 7, "gout"))
    assert masked(people, asked(maximum_suppressed=0)).read(["income"]).num_rows == 2


def test_suppression_lowers_no_label_and_joins_those_that_decide() -> None:
    columns = {**COLUMNS, "ward": column(level="quasi", category="health")}
    people = rows(*COMMON)
    plain = masked(people, patients(columns, quasi_identifiers=["age", "pin"])).labels
    policy = patients(columns, quasi_identifiers=["age", "pin"], suppress=True, sensitive=["ill"])
    labels = masked(people, policy).labels
    for name, label in labels.items():
        assert label.covers(plain[name])
    assert labels["age"].covers(plain["pin"])
    assert labels["pin"].covers(plain["ill"])
    assert labels["ward"] == plain["ward"]
    inspection = inspect(masked(people, policy), policy)
    assert not inspection.under_labelled
    assert not inspection.over_identifiable


def test_a_column_that_is_not_named_keeps_its_cells_and_divides_the_suppressed() -> None:
    young, old = [(21, "577201", 1, "flu")] * 3, [(71, "577201", 1, "flu")] * 3
    alone = [(21, "110001", 1, "flu"), (21, "220001", 1, "flu"), (71, "330001", 1, "flu"), (71, "440001", 1, "flu")]
    found = masked(rows(*young, *old, *alone), asked(suppressed_columns=["pin"])).read(QUASI).to_pylist()
    assert [row["age"] for row in found] == [20.0] * 3 + [70.0] * 3 + [20.0] * 2 + [70.0] * 2
    assert [row["pin"] for row in found] == ["577"] * 6 + [None] * 4


def test_the_suppressed_are_joined_by_the_smallest_of_those_who_share_what_is_left() -> None:
    people = rows(*[(21, "577201", 1, "flu")] * 3, *[(71, "577201", 1, "flu")] * 2, (21, "110001", 1, "flu"))
    found = masked(people, asked(suppressed_columns=["pin"], maximum_suppressed=0.9)).read(QUASI).to_pylist()
    assert [row["pin"] for row in found] == [None] * 3 + ["577"] * 2 + [None]


def test_people_who_are_too_few_by_what_is_left_cannot_be_suppressed() -> None:
    people = rows(*COMMON, *COMMON, (77, "577201", 7, "gout"))
    with pytest.raises(MaskingError, match=r"share what suppression leaves are too few.* suppressed_columns"):
        masked(people, asked(suppressed_columns=["pin"])).read()


def test_a_model_that_learns_from_no_suppressed_column_has_its_privacy_loss_for_the_raw_table() -> None:
    assert COLUMNS["age"]["use"]["kind"] == "feature"
    assert asked().learns_from_suppressed
    assert asked(suppressed_columns=["age"]).learns_from_suppressed
    assert not asked(suppressed_columns=["pin"]).learns_from_suppressed
    assert not patients().learns_from_suppressed


def test_what_a_model_learns_from_is_the_same_whoever_is_suppressed() -> None:
    """Why that privacy loss holds: one person more changes no cell of another's row that training reads."""
    policy = asked(suppressed_columns=["pin"])
    people = rows(*COMMON, (41, "110001", 1, "flu"), (42, "220001", 1, "gout"), (43, "330001", 3, "flu"))
    more = [*people, *rows((41, "110001", 1, "flu", "C-x"))]
    learned = ["customer", *policy.features, "approved"]
    without, beside = (masked(table, policy).read([*learned, "pin"]).to_pylist() for table in (people, more))
    assert [row["pin"] for row in without] != [row["pin"] for row in beside[: len(people)]]
    assert [[row[name] for name in learned] for row in without] == [
        [row[name] for name in learned] for row in beside[: len(people)]
    ]


PERSON = st.tuples(
    st.sampled_from([21, 23, 31, 45]),
    st.sampled_from(["577201", "560001", None]),
    st.integers(0, 3),
    st.sampled_from(["flu", "gout"]),
    st.sampled_from([f"C-{n}" for n in range(9)]),
)


@settings(max_examples=80)
@given(
    st.lists(PERSON, min_size=1, max_size=30),
    st.integers(2, 4),
    st.integers(1, 9),
    st.sampled_from([None, ["pin"], ["age"]]),
)
def test_what_is_suppressed_leaves_every_class_large_enough(
    people: list[Sequence[Any]], k: int, batch_size: int, taken: list[str] | None
) -> None:
    policy = asked(k=k, maximum_suppressed=0.99, suppressed_columns=taken)
    before = masked(rows(*people), patients(k=k)).read().to_pylist()
    try:
        after = masked(rows(*people), policy, batch_size=batch_size).read().to_pylist()
    except MaskingError:
        # Nothing but everything would do.
        return
    left = [name for name in QUASI if taken is not None and name not in taken]
    assert [[row[name] for name in left] for row in after] == [[row[name] for name in left] for row in before]
    found = reference.classes(after, QUASI, "customer")
    assert min(map(len, found.values())) >= k
    assert [row["customer"] for row in after] == [row["customer"] for row in before]
    large = {key for key, who in reference.classes(before, QUASI, "customer").items() if len(who) >= k}
    if len(large) == len(reference.classes(before, QUASI, "customer")):
        assert after == before
