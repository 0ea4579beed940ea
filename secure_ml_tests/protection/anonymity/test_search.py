"""The search against trying everything, and the ladders that it refuses."""

import itertools
import random
from collections.abc import Mapping
from typing import Any

import pytest

from secure_ml.policy.project import Policy
from secure_ml.policy.treatments import Treatment
from secure_ml.protection.anonymity import search as searching
from secure_ml.protection.anonymity.errors import AnonymityError
from secure_ml.protection.anonymity.judgement import Measured, measure
from secure_ml.protection.anonymity.search import search
from secure_ml.protection.mask.inspection import inspect
from secure_ml.protection.mask.masking import Masking
from secure_ml.protection.mask.treatment import MaskingError
from secure_ml_tests.protection.anonymity.tables import LADDERS, patients, rows, table
from secure_ml_tests.protection.mask.tables import key_for

PINS = ("577201", "577300", "560001", "561010", "110001")


def people(seed: int, number: int = 120) -> list[dict[str, str | None]]:
    draw = random.Random(seed)
    return rows(
        *(
            (draw.randrange(20, 60), draw.choice(PINS), draw.randrange(9), draw.choice(["flu", "gout"]))
            for _ in range(number)
        )
    )


def treated(policy: Policy, chosen: Mapping[str, Treatment]) -> Policy:
    columns = {
        name: column.model_copy(update={"treatment": chosen[name]}) if name in chosen else column
        for name, column in policy.columns.items()
    }
    return policy.model_copy(update={"columns": columns})


def reached(people: list[dict[str, str | None]], policy: Policy) -> Measured:
    masked = Masking(policy, key_for=key_for).apply(table(people, policy, batch_size=200))
    classes = inspect(masked, policy).classes
    assert classes is not None
    assert policy.anonymity is not None
    return measure(classes, policy.anonymity)


def cheapest(people: list[dict[str, str | None]], policy: Policy) -> tuple[float, dict[str, Treatment]]:
    """By masking the table with every combination of treatments."""
    assert policy.anonymity is not None
    best: tuple[float, dict[str, Treatment]] = (2.0, {})
    ladders = policy.anonymity.ladders
    for node in itertools.product(*(range(len(rungs)) for rungs in ladders.values())):
        chosen = {name: rungs[rung] for (name, rungs), rung in zip(ladders.items(), node, strict=True)}
        try:
            found = reached(people, treated(policy, chosen))
        except MaskingError:
            continue
        if not found.faults(policy.anonymity):
            lost = [loss(people, "age", node[0]), loss(people, "pin", node[1])]
            for place, name in enumerate(("age", "pin")):
                if name in policy.suppressed_columns:
                    lost[place] += found.suppressed * (1 - lost[place])
            best = min(best, (sum(lost) / 2, chosen), key=lambda pair: pair[0])
    return best


def loss(people: list[dict[str, str | None]], name: str, rung: int) -> float:
    """The mean share of the other values that a cell cannot be told from."""

    def coarse(cell: str, at: int) -> str:
        return str(int(cell) // (5, 10, 20)[at]) if name == "age" else cell[: 3 - at]

    cells = [str(row[name]) for row in people]
    values = {coarse(cell, 0): coarse(cell, rung) for cell in cells}
    alike = [sum(other == values[coarse(cell, 0)] for other in values.values()) - 1 for cell in cells]
    return sum(alike) / (len(values) - 1) / len(cells)


CASES: list[dict[str, Any]] = [
    {"k": 2},
    {"k": 9},
    {"k": 4, "suppress": True, "maximum_suppressed": 0.2},
    {"k": 3, "sensitive": ["ill"], "l_diversity": {"kind": "entropy", "minimum": 1.8}, "suppress": True},
    {"k": 4, "suppress": True, "maximum_suppressed": 0.3, "suppressed_columns": ["pin"]},
    {"k": 3, "sensitive": ["income"], "t_closeness": 0.25},
    {"k": 2, "maximum_marketer_risk": 0.05},
]


@pytest.mark.parametrize("asked", CASES, ids=lambda asked: ", ".join(map(str, asked)))
@pytest.mark.parametrize("seed", range(2))
def test_what_is_found_is_the_cheapest_of_all_and_the_check_agrees(asked: dict[str, Any], seed: int) -> None:
    policy, table_of = patients(ladders=LADDERS, **asked), people(seed)
    expected, _ = cheapest(table_of, policy)
    found = search([table(table_of, policy, batch_size=50)], policy)
    assert found.loss == pytest.approx(expected)
    assert found.nodes == 9
    after = reached(table_of, treated(policy, found.treatments))
    before = found.measured[0]
    assert (after.k, after.classes, after.suppressed) == (before.k, before.classes, pytest.approx(before.suppressed))
    assert not after.faults(policy.anonymity)


def test_it_holds_for_each_table_alone() -> None:
    policy = patients(k=6, ladders=LADDERS)
    first, second = people(1, 300), people(2, 60)
    together = search([table(first, policy), table(second, policy)], policy)
    assert [measured.k >= 6 for measured in together.measured] == [True, True]
    assert together.loss > search([table([*first, *second], policy)], policy).loss


def test_nothing_that_meets_the_policy_is_told_with_what_is_missing() -> None:
    policy = patients(k=100, ladders=LADDERS)
    with pytest.raises(AnonymityError, match=r"no combination .* most general, .* k is 100"):
        search([table(people(1), policy)], policy)


def test_a_ladder_out_of_order_is_named() -> None:
    policy = patients(ladders={"age": LADDERS["age"][::-1]})
    with pytest.raises(AnonymityError, match=r"anonymity\.ladders\.age"):
        search([table(people(1), policy)], policy)


def test_a_policy_without_ladders_and_too_many_of_them_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = patients()
    with pytest.raises(AnonymityError, match=r"has no anonymity\.ladders"):
        search([table(people(1), policy)], policy)
    monkeypatch.setattr(searching, "MOST_NODES", 8)
    policy = patients(ladders=LADDERS)
    with pytest.raises(AnonymityError, match="have 9 combinations"):
        search([table(people(1), policy)], policy)


def test_cells_that_only_a_coarser_treatment_can_read_are_counted_as_they_will_be() -> None:
    policy = patients(k=3, ladders=LADDERS)
    short = [{**row, "customer": f"S-{row['customer']}", "age": "31", "pin": "57"} for row in people(1, 3)]
    table_of = [*people(1), *short]
    found = search([table(table_of, policy, batch_size=50)], policy)
    assert reached(table_of, treated(policy, found.treatments)).k == found.measured[0].k
