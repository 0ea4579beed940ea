"""What a stranger tries on a masked table, and what each bound of the policy says to it."""

from typing import Any

import pytest

from secure_ml.orchestration.checks.assessment import Judgement
from secure_ml.orchestration.checks.masked import judgements
from secure_ml.protection.mask.inspection import inspect
from secure_ml_tests.protection.anonymity.tables import masked, patients, rows

DISTINCT = {"kind": "distinct", "minimum": 2}
ENTROPY = {"kind": "entropy", "minimum": 2}

MANY = [(31, "577201", income, ill) for income, ill in zip(range(10, 50), ("flu", "gout") * 20, strict=True)]


def judged(people: list[dict[str, str | None]], **anonymity: Any) -> Judgement:
    policy = patients(**anonymity)
    return next(j for j in judgements(inspect(masked(people, policy), policy), policy) if j.check == "anonymity")


def test_a_table_in_which_nobody_stands_out_passes_with_its_figures() -> None:
    found = judged(rows(*MANY), k=40, sensitive=["ill"], l_diversity=ENTROPY, t_closeness=0.1)
    assert found.passed
    assert found.blocking
    assert (found.facts["k"], found.facts["prosecutor_risk"], found.facts["l.ill"]) == (40, 0.025, 2.0)
    assert "shared by 40 subjects or more" in found.words
    assert found.pictures["class_sizes.png"].startswith(b"\x89PNG")


def test_one_unique_person_among_many_blocks_the_version() -> None:
    found = judged(rows(*MANY, (77, "577201", 10, "flu")))
    assert not found.passed
    assert found.blocking
    assert (found.facts["k"], found.facts["prosecutor_risk"]) == (1, 1.0)
    assert "shared by 1 subjects only, k is 2" in found.words
    assert "577" not in found.words


def test_many_rows_of_one_person_are_one_person() -> None:
    alone = [(77, "990001", 10, "flu", "C-9")] * 40
    assert judged(rows(*alone)).facts["k"] == 1


def test_a_missing_cell_does_not_hide_its_person() -> None:
    found = judged(rows(*MANY, (None, "577201", 10, "flu")))
    assert found.facts["k"] == 1


def test_a_class_of_one_illness_tells_it_of_everybody_in_it() -> None:
    """The homogeneity attack (Machanavajjhala et al. 2007)."""
    people = rows(*MANY, *[(55, "560001", 10, "gout")] * 20)
    assert judged(people, k=20, sensitive=["ill"]).passed
    found = judged(people, k=20, sensitive=["ill"], l_diversity=DISTINCT)
    assert not found.passed
    assert "a class tells ill: l is 1" in found.words


def test_a_class_in_which_nearly_everybody_is_ill_is_caught_by_entropy() -> None:
    people = rows(*MANY, *[(55, "560001", 10, "gout")] * 19, (55, "560001", 10, "flu"))
    assert judged(people, k=20, sensitive=["ill"], l_diversity=DISTINCT).passed
    assert not judged(people, k=20, sensitive=["ill"], l_diversity={"kind": "entropy", "minimum": 1.5}).passed


def test_a_rare_illness_that_is_frequent_in_one_class_is_caught_by_closeness() -> None:
    """The skewness attack (Li et al. 2007): a class half of which is ill is diverse, and far from a table with few."""
    healthy = [(31, "577201", 10, "none")] * 95 + [(31, "577201", 10, "gout")] * 5
    people = rows(*healthy, *[(55, "560001", 10, "gout")] * 10, *[(55, "560001", 10, "none")] * 10)
    asked = {"k": 20, "sensitive": ["ill"], "l_diversity": DISTINCT}
    assert judged(people, **asked).passed
    found = judged(people, **asked, t_closeness=0.3)
    assert not found.passed
    assert "a class differs from the table in ill" in found.words


def test_incomes_that_are_different_and_alike_are_caught_by_the_order_of_numbers() -> None:
    """The similarity attack (Li et al. 2007): three low incomes are three values."""
    low = [(31, "577201", income, "flu") for income in range(20)]
    high = [(55, "560001", 10_000 + income, "flu") for income in range(20)]
    asked = {"k": 20, "sensitive": ["income"], "l_diversity": {"kind": "distinct", "minimum": 20}}
    assert judged(rows(*low, *high), **asked).passed
    assert not judged(rows(*low, *high), **asked, t_closeness=0.2).passed
    mixed = [(31 if n % 2 else 55, "577201", income, "flu") for n, (_, _, income, _) in enumerate([*low, *high])]
    assert judged(rows(*mixed), **asked, t_closeness=0.2).passed


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ({"maximum_prosecutor_risk": 0.02}, "the prosecutor risk is 0.025"),
        ({"maximum_marketer_risk": 0.02}, "the marketer risk is 0.025"),
    ],
)
def test_a_risk_above_its_bound_blocks(bound: dict[str, float], words: str) -> None:
    assert words in judged(rows(*MANY), **bound).words
    assert judged(rows(*MANY), **dict.fromkeys(bound, 0.025)).passed


def test_a_quasi_identifier_that_is_not_there_fails_the_check() -> None:
    policy = patients()
    without = masked(rows(*MANY), policy).select(["customer", "age", "income", "ill", "approved"])
    found = next(j for j in judgements(inspect(without, policy), policy) if j.check == "anonymity")
    assert not found.passed
    assert "is missing" in found.words


def test_a_policy_that_asks_for_nothing_is_told_so() -> None:
    policy = patients().model_copy(update={"anonymity": None})
    found = next(j for j in judgements(inspect(masked(rows(*MANY), policy), policy), policy) if j.check == "anonymity")
    assert found.passed
    assert "asks for no anonymity" in found.words
    assert not found.facts
