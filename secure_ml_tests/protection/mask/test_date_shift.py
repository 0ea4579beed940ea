"""Dates that move together for one subject."""

import hashlib
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from secure_ml.policy.project import Policy
from secure_ml.protection.mask.keyed_choice import ChoiceKeyError
from secure_ml.protection.mask.masking import Masking
from secure_ml_tests.protection.mask.single import policy_with, treat, treatment_of
from secure_ml_tests.protection.mask.tables import COLUMNS, column, key_for, policy, raw

DAYS = 30
SPEC = {"kind": "date_shift", "max_days": DAYS}


def declared(**changes: Any) -> Policy:
    return policy_with(SPEC, kind="date", **changes)


def other_project(purpose: str) -> bytes:
    return hashlib.sha256(b"another project" + purpose.encode()).digest()


DATES = st.dates(date(1, 3, 1), date(9999, 10, 1))
SUBJECTS = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() not in {"", "NA"})


@settings(max_examples=60, deadline=None)
@given(dates=st.lists(DATES, min_size=2, max_size=5), subject=SUBJECTS)
def test_the_time_between_two_dates_of_a_subject_is_kept_to_the_day(dates: list[date], subject: str) -> None:
    treated = treat(declared(), dates, [subject] * len(dates))
    moved = treated.values.to_pylist()
    shifts = {new - old for new, old in zip(moved, dates, strict=True)}
    assert len(shifts) == 1
    assert 1 <= abs(shifts.pop().days) <= DAYS
    assert treated.unknown == 0


def test_all_columns_of_a_subject_move_alike_in_every_partition_and_batch() -> None:
    columns = {**COLUMNS, "admitted": column("date", SPEC), "discharged": column("date", SPEC)}
    rows = [
        {"customer": f"C{n % 3}", "agreed": "Y", "admitted": f"2024-{1 + n:02}-01", "discharged": f"2024-{1 + n:02}-09"}
        for n in range(12)
    ]
    shifts: dict[str, set[timedelta]] = {}
    for part in (rows[:6], rows[6:]):
        for size in (1, 4):
            table = Masking(policy(columns), key_for=key_for).apply(raw(part, policy(columns), batch_size=size)).read()
            for old, new in zip(part, table.to_pylist(), strict=True):
                for name in ("admitted", "discharged"):
                    shifts.setdefault(old["customer"], set()).add(new[name] - date.fromisoformat(old[name]))
    assert [len(of) for of in shifts.values()] == [1, 1, 1]


def test_a_subject_is_known_however_it_is_written_and_moves_differently_elsewhere() -> None:
    subjects = [f"C-{n}" for n in range(200)]
    days = [date(2020, 1, 1)] * 200
    here = treat(declared(), days, subjects).values
    assert treat(declared(), days, [f" {subject} " for subject in subjects]).values == here
    there = treat(declared(), days, subjects, key_for=other_project).values
    agree = sum(a == b for a, b in zip(here, there, strict=True))
    assert agree < 20  # 200 / 60 are expected to meet by chance; 20 have a probability below 1e-9


def test_every_shift_is_as_likely_as_any_other_and_none_is_zero() -> None:
    many = 60_000
    moved = treat(declared(), [date(2020, 1, 1)] * many, [str(n) for n in range(many)]).values.to_pylist()
    counts = Counter((day - date(2020, 1, 1)).days for day in moved)
    assert set(counts) == set(range(-DAYS, DAYS + 1)) - {0}
    expected = many / (2 * DAYS)
    chi_squared = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_squared < 120  # 59 degrees of freedom: exceeded by chance in fewer than one of 100,000 keys


def test_what_cannot_be_moved_is_empty_and_counted() -> None:
    cells = ["2024-02-30", "soon", "", None, "2024-01-01", "0001-01-01", "9999-12-31"]
    treated = treat(declared(), cells, ["C1", "C1", "C1", "C1", None, *_back_and_on()])
    assert treated.values.to_pylist() == [None] * len(cells)
    assert treated.unknown == 5


def _back_and_on() -> tuple[str, str]:
    """A subject whose dates move back, and one whose dates move on."""
    subjects = [f"C{n}" for n in range(50)]
    moved = treat(declared(), [date(2020, 1, 1)] * 50, subjects).values.to_pylist()
    back = next(s for s, day in zip(subjects, moved, strict=True) if day < date(2020, 1, 1))
    return back, next(s for s, day in zip(subjects, moved, strict=True) if day > date(2020, 1, 1))


def test_timestamps_and_arrows_own_dates_are_moved_too() -> None:
    stamps = pa.array([1_700_000_000_000], pa.timestamp("ms"))
    days = pa.array([date(2023, 11, 14)], pa.date32())
    made = [treatment_of(declared()).apply(cells, pa.array(["C1"])).values for cells in (stamps, days)]
    assert made[0] == made[1]


def test_the_subjects_label_flows_into_what_it_moves() -> None:
    from secure_ml.policy.labels import Identifiability
    from secure_ml.protection.mask.plan import plan_without_keys

    shown = declared()
    plan = plan_without_keys(shown)
    assert plan.reads("x") == ("x", "customer") == ("x", *shown.beside("x"))
    assert plan.labels(shown)["x"].identifiability is Identifiability.QUASI


def test_a_policy_that_cannot_keep_the_promise_is_refused() -> None:
    with pytest.raises(ValidationError, match="date_shift needs the field subject"):
        declared(subject=None)
    with pytest.raises(ValidationError, match="is the same for all columns"):
        policy({**COLUMNS, "x": column("date", SPEC), "y": column("date", {**SPEC, "max_days": 90})})
    with pytest.raises(ValidationError, match="needs type date"):
        policy_with(SPEC)
    with pytest.raises(ValidationError, match="direct identifier"):
        policy({**COLUMNS, "x": column("date", SPEC, level="direct")})


def test_a_key_of_another_length_is_refused_and_no_key_is_shown() -> None:
    with pytest.raises(ChoiceKeyError, match="32 bytes"):
        treatment_of(declared(), key_for=lambda purpose: bytes(16 if purpose == "date_shift" else 32))
    assert "kkkk" not in repr(treatment_of(declared()))
