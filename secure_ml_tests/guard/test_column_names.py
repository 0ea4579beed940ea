"""Names of undeclared columns: what could be a cell is replaced by its position, before anything is stored."""

import pytest

from secure_ml.guard.column_names import is_stand_in, listed, may_be_shown, shown_names


@pytest.mark.parametrize(
    "name", ["income", "guarantor_contact", "q4_2024", "GUARANTOR_CONTACT", "a1", "annual_income_in_rupees"]
)
def test_a_name_as_programs_write_it_stays(name: str) -> None:
    assert shown_names([name], []) == (name,)


@pytest.mark.parametrize(
    "name",
    [
        "Meera Kulkarni", "Meera", "MEERA", "meera kulkarni", "KULKARNI, MEERA", "Meera_Kulkarni", "meera.kulkarni",
        "98765 01234", "9876501234", "call_9876501234", "meera@okbank", "ABCPK1234Z", "12/04/1987", "1987-04-12",
        "House 12", "", " ", "a\nb", "x" * 200, "\u0968\u0969", "\u092e\u0940\u0930\u093e",
        "undeclared_column_9",
    ],
)  # fmt: skip
def test_a_name_that_could_be_a_cell_becomes_a_position(name: str) -> None:
    (first, shown) = shown_names(["income", name], ["income"])
    assert (first, shown) == ("income", "undeclared_column_2")
    assert is_stand_in(shown)


def test_what_a_policy_declares_stays_whatever_it_looks_like() -> None:
    assert shown_names(["Full Name", "98765 01234"], {"Full Name", "98765 01234"}) == ("Full Name", "98765 01234")


def test_a_stand_in_takes_no_other_columns_name() -> None:
    names = ["Meera", "undeclared_column_1", "undeclared_column_3", "Asha"]
    shown = shown_names(names, ["undeclared_column_1"])
    assert shown == ("undeclared_column_1_", "undeclared_column_1", "undeclared_column_3_", "undeclared_column_4")
    assert len(set(shown)) == len(names)


def test_what_is_shown_may_be_shown_and_what_was_replaced_may_not() -> None:
    names = ["Meera", "undeclared_column_1", "income", "Asha Rao", "Full Name"]
    shown = shown_names(names, ["undeclared_column_1", "Full Name"])
    assert [may_be_shown(name, ["Full Name"]) for name in shown] == [True] * 5
    replaced = ["Meera", "Asha Rao", "undeclared_column_98765012", "undeclared_column_1 Asha", "undeclared_column_"]
    assert not any(may_be_shown(name, ["Full Name"]) for name in replaced)


def test_of_many_names_the_first_are_listed() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([f"c{n}" for n in range(200)]).endswith("c19 and 180 more")
