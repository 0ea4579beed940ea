"""No value that fewer than twenty people hold stands in a draft, whoever looks for it and however they wrote it."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secure_ml.protection.draft import DraftError, draft_policy
from secure_ml.protection.draft import profile as profile_module
from secure_ml_tests.protection.draft.tables import TODAY, Columns, attributes, clinic, drafted, named_values, write_csv

FEWEST = 20


def rare_values(columns: Columns, people: list[object]) -> dict[str, set[object]]:
    """For each column the values, as numbers where they are some, with fewer than twenty holders: the naive count."""
    rare = {}
    for name, cells in columns.items():
        holders = defaultdict(set)
        for cell, person in zip(cells, people, strict=True):
            holders[as_number(cell)].add(person)
        rare[name] = {value for value, who in holders.items() if len(who) < FEWEST}
    return rare


def as_number(cell: object) -> object:
    try:
        return float(str(cell))
    except ValueError:
        return str(cell)


FIELDS = ("bins", "categories", "cuts", "step", "top", "bottom", "stay", "otherwise", "at")


def violations(text: dict[str, Any], rare: dict[str, set[object]]) -> list[str]:
    found = []
    for name, declared in text["columns"].items():
        for part in (declared["treatment"], declared["use"]):
            # The width of a band of ages is a constant, and no age of anybody.
            for field in FIELDS if part["kind"] != "generalise_date" else ("at",):
                values = part.get(field, [])
                for value in values if isinstance(values, list) else [values]:
                    if as_number(value) in rare[name]:
                        found.append(f"{name}.{field}")
    return found


def test_neither_categories_nor_cuts_name_a_rare_value(tmp_path: Path) -> None:
    columns = clinic()
    draft = drafted(tmp_path, columns)
    assert violations(attributes(draft), rare_values(columns, list(range(400)))) == []
    assert "a ward of one's own" not in draft.text


def test_many_rows_of_one_person_make_no_value_common(tmp_path: Path) -> None:
    columns = clinic()
    columns["patient_id"] = [f"P{min(i, 340):06d}" for i in range(400)]
    columns["ward"] = ["kept for one" if i >= 340 else ("north", "south")[i % 2] for i in range(400)]
    columns["level"] = [77 if i >= 340 else i % 3 for i in range(400)]
    for subject in ("patient_id", None):  # without being told, the column that names people is found
        draft = drafted(tmp_path, columns, subject=subject)
        assert "kept for one" not in draft.text
        assert 77 not in named_values(draft, "level")
        assert violations(attributes(draft), rare_values(columns, columns["patient_id"])) == []


def test_twenty_people_are_enough_and_nineteen_are_not(tmp_path: Path) -> None:
    for count, named in ((19, False), (20, True)):
        columns = clinic()
        columns["ward"] = ["special" if i < count else ("north", "south")[i % 2] for i in range(400)]
        assert ("special" in drafted(tmp_path, columns).text) is named


def test_a_sample_does_not_make_a_rare_value_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_module, "_SAMPLE_CELLS", 0)  # two thousand rows are kept, of twelve thousand
    rng = np.random.default_rng(3)
    columns = {
        "amount": list(rng.integers(0, 3000, 12_000)),
        "score": [round(x, 2) for x in rng.normal(50, 9, 12_000)],
        "outcome": list(rng.integers(0, 2, 12_000)),
    }
    draft = drafted(tmp_path, columns)
    assert violations(attributes(draft), rare_values(columns, list(range(12_000)))) == []
    assert len(named_values(draft, "amount")) >= 4


def test_a_positive_class_of_few_people_is_refused(tmp_path: Path) -> None:
    columns = clinic()
    columns["patient_id"] = [f"P{min(i, 300):06d}" for i in range(400)]
    columns["outcome"] = ["relapse" if i >= 295 else "well" for i in range(400)]
    with pytest.raises(DraftError, match="too few people") as refused:
        drafted(tmp_path, columns, subject="patient_id")
    assert "relapse" not in str(refused.value)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([1e-7, 0.01, 1.0, 40.0, 1e6, 1e13]),
    decimals=st.integers(0, 4),
    rows=st.integers(60, 600),
)
def test_whatever_the_numbers_no_cut_is_somebodys_own(
    tmp_path: Path, seed: int, spread: float, decimals: int, rows: int
) -> None:
    rng = np.random.default_rng(seed)
    numbers = [float(f"{x:.{decimals + 1}e}") for x in rng.normal(0.3, 1, rows) * spread]
    columns: dict[str, list[object]] = {
        "x": list(numbers),
        "y": list(rng.integers(0, 1 + int(min(spread, 1e9)), rows)),
        "outcome": [i % 2 for i in range(rows)],
    }
    columns["z"] = [i // 2 % 2 for i in range(rows)]  # there is always a feature
    file = write_csv(tmp_path / "table.csv", columns)
    draft = draft_policy(file, project="p", label="outcome", subject=None, accept=True, folder=tmp_path, today=TODAY)
    said = yaml.safe_load(draft.text)["attributes"]
    assert violations(said, rare_values(columns, list(range(rows)))) == []
    for name in ("x", "y"):
        cells = np.asarray(columns[name], dtype=np.float64)
        cuts = said["columns"][name]["use"].get("bins", [])
        counts = np.histogram(cells, [-np.inf, *map(float, cuts), np.inf])[0]
        assert not cuts or counts.min() >= FEWEST
        treatment = said["columns"][name]["treatment"]
        assert (cells >= treatment.get("top", -np.inf)).sum() >= FEWEST
        assert (cells <= treatment.get("bottom", np.inf)).sum() >= FEWEST


@pytest.mark.parametrize("subject", ["patient_id", None])
def test_the_extremes_of_one_person_with_many_rows_are_cut_off_and_make_no_bound(
    tmp_path: Path, subject: str | None
) -> None:
    columns = clinic(800)
    columns["patient_id"] = [f"P{min(i, 740):06d}" for i in range(800)]
    columns["units"] = [1_000_000 + i if i >= 740 else i % 97 for i in range(800)]
    draft = drafted(tmp_path, columns, subject=subject)
    # Each whole number near the bound is the own one of a few, so that only intervals hide the extremes.
    assert attributes(draft)["columns"]["units"]["treatment"]["kind"] == "generalise_number"
    assert not [value for value in named_values(draft, "units") if float(str(value)) > 97]
    assert violations(attributes(draft), rare_values(columns, columns["patient_id"])) == []


@pytest.mark.parametrize(("rows", "bounded"), [(100, False), (400, True)])
def test_a_tail_of_too_few_people_has_no_bound(tmp_path: Path, rows: int, bounded: bool) -> None:
    columns: dict[str, list[object]] = {
        "units": [10 * (i + 1) + 1 if i % 12 == 0 else i % 29 for i in range(rows)],
        "outcome": [i % 5 // 3 for i in range(rows)],
    }
    treatment = attributes(drafted(tmp_path, columns))["columns"]["units"]["treatment"]
    assert treatment["kind"] == ("top_bottom_code" if bounded else "generalise_number")
    assert sum(float(str(cell)) >= treatment.get("top", 0) for cell in columns["units"]) >= FEWEST


def test_both_tails_are_cut_where_many_stand_and_at_nobodys_own_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    columns: dict[str, list[object]] = {
        "balance": [round(x, 2) for x in rng.standard_t(1.5, 3_000) * 1_000],
        "outcome": list(rng.integers(0, 2, 3_000)),
    }
    draft = drafted(tmp_path, columns)
    treatment = attributes(draft)["columns"]["balance"]["treatment"]
    cells = np.asarray(columns["balance"], dtype=np.float64)
    assert (cells >= treatment["top"]).sum() >= FEWEST
    assert (cells <= treatment["bottom"]).sum() >= FEWEST
    assert violations(attributes(draft), rare_values(columns, list(range(3_000)))) == []


def test_the_day_of_an_age_and_the_word_for_all_else_are_nobodys_own(tmp_path: Path) -> None:
    columns = clinic()
    columns["ward"] = ["other" if i < 5 else "lone" if i < 9 else ("north", "south")[i % 2] for i in range(400)]
    columns["date_of_birth"] = ["2024-12-31" if i == 3 else cell for i, cell in enumerate(columns["date_of_birth"])]
    draft = drafted(tmp_path, columns)
    said = attributes(draft)["columns"]
    assert said["ward"]["treatment"]["otherwise"] == "all other"
    assert said["date_of_birth"]["treatment"].get("at") != "2024-12-31"
    assert "2024-12-31" not in draft.text
    assert violations(attributes(draft), rare_values(columns, list(range(400)))) == []


def test_the_evidence_in_the_comments_has_no_figure(tmp_path: Path) -> None:
    columns = clinic()
    columns["gender"] = ["a word of one's own" if i in {5, 9, 11} else cell for i, cell in enumerate(columns["gender"])]
    columns["remarks"] = [
        f"{cell}, call +91 98450 12345" if i < 3 else cell for i, cell in enumerate(columns["remarks"])
    ]
    draft = drafted(tmp_path, columns)
    told = [line for line in draft.text.splitlines() if line.startswith("      # ")] + [c.why for c in draft.columns]
    assert not [line for line in told if any(mark.isdigit() for mark in line)]
