"""Treatments that an expert would choose, and the proof that the draft's own checks let them pass."""

import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from secure_ml.policy.columns import ColumnType
from secure_ml.policy.load import load_policy
from secure_ml.policy.project import Policy
from secure_ml.protection.classify.classifier import Classifier
from secure_ml.protection.classify.compare import Severity, compare
from secure_ml.protection.classify.finding import read_findings
from secure_ml.protection.classify.findings import classify
from secure_ml.protection.draft import Draft, write_draft
from secure_ml.protection.draft import draft as draft_module
from secure_ml.protection.draft.domains import Bounds
from secure_ml.protection.draft.people import People
from secure_ml.protection.draft.proposal import propose
from secure_ml.protection.draft.roles import assign
from secure_ml.protection.draft.table import recognise
from secure_ml.protection.draft.trial import try_checks
from secure_ml.protection.mask.masking import Masking
from secure_ml_tests.protection.draft.tables import attributes, clinic, drafted

ROWS = 1_500


def hospital() -> dict[str, list[object]]:
    """Invented stays of 1,200 people, some of whom came twice."""
    draw = random.Random(11)

    def day(first: date, days: int) -> date:
        return first + timedelta(days=draw.randrange(days))

    admitted = [day(date(2023, 1, 1), 700) for _ in range(ROWS)]
    stay = [draw.randrange(1, 20) for _ in range(ROWS)]
    trades = ["nurse", "teacher", "driver"]
    return {
        "patient_no": [f"P{i % 1_200:06d}" for i in range(ROWS)],
        "case_number": [f"CASE-{100_000 + i}" for i in range(ROWS)],
        "dob": [day(date(1930, 1, 1), 30_000).isoformat() for _ in range(ROWS)],
        "admitted": [d.isoformat() for d in admitted],
        "discharged": [(d + timedelta(days=n)).isoformat() for d, n in zip(admitted, stay, strict=True)],
        "gender": [draw.choice(["female", "male"]) for _ in range(ROWS)],
        "occupation": [draw.choice([*trades, f"trade_{i % 200}"]) for i in range(ROWS)],
        "bill_amount": [round(draw.lognormvariate(5, 1.2), 2) for _ in range(ROWS)],
        "notes": [f"called from +442079460{100 + i % 900} and will be seen by the nurse again" for i in range(ROWS)],
        "stay": stay,
        "outcome": ["yes" if n + draw.gauss(0, 6) > 12 else "no" for n in stay],
    }


def written(draft: Draft, folder: Path) -> Policy:
    return load_policy(write_draft(draft, folder))


def treatments(draft: Draft) -> dict[str, dict[str, Any]]:
    return {name: column["treatment"] for name, column in attributes(draft)["columns"].items()}


def masked(policy: Policy, data: Path) -> pd.DataFrame:
    raw = recognise(data).open_for(policy)
    table: pd.DataFrame = Masking(policy, key_for=lambda purpose: bytes(32)).apply(raw).read().to_pandas()
    return table


def test_dates_amounts_trades_and_texts_get_the_treatment_that_fits(tmp_path: Path) -> None:
    got = treatments(drafted(tmp_path, hospital(), subject="patient_no"))
    assert got["dob"].keys() == {"kind", "to", "at", "oldest", "step"}
    assert (got["dob"]["to"], got["dob"]["at"], got["dob"]["oldest"]) == ("age", date(2024, 12, 31), 90)
    assert got["dob"]["step"] >= 5
    assert got["admitted"] == got["discharged"] == {"kind": "date_shift", "max_days": 365}
    assert got["occupation"]["kind"] == "generalise_category"
    assert set(got["occupation"]["stay"]) <= {"nurse", "teacher", "driver"}
    assert got["bill_amount"]["kind"] == "top_bottom_code"
    assert got["bill_amount"].keys() == {"kind", "top"}
    assert got["notes"]["kind"] == "scrub_text"
    assert got["case_number"]["kind"] == "token"
    assert got["stay"]["kind"] == "keep"


def test_without_a_subject_dates_are_made_coarser_and_count_as_known(tmp_path: Path) -> None:
    draft = drafted(tmp_path, {n: c for n, c in hospital().items() if n != "discharged"})
    assert treatments(draft)["admitted"]["kind"] in {"generalise_date", "drop"}
    one_row_each = {name: cells[:1_200] for name, cells in hospital().items() if name != "discharged"}
    (tmp_path / "once").mkdir()
    once = drafted(tmp_path / "once", one_row_each, subject="patient_no")
    assert treatments(once)["admitted"]["kind"] != "date_shift"  # one date of each: there is no time between dates


@pytest.mark.parametrize(("distinct", "kind"), [(None, "token"), (1_000, "token"), (999, "drop"), (1, "drop")])
def test_record_numbers_that_counting_would_tell_become_no_tokens(distinct: int | None, kind: str) -> None:
    cells = [f"CASE-{100_000 + i}" for i in range(20_000)]
    classifier = Classifier()
    classifier.update(pa.RecordBatch.from_pydict({"case_number": cells}))
    finding = replace(classifier.findings()[0], distinct=distinct)
    (assignment,) = assign([finding], [ColumnType.STRING], label="y", subject=None, consent=None)
    drafted = propose(assignment, Bounds(), telling=0.5, numbers_rows=False, keeps_intervals=False, regions=())
    assert drafted.treatment["kind"] == kind


@pytest.mark.parametrize(
    ("codes", "treatment"),
    [
        (["SW1A 1AA", "M1 1AE"], {"drop_last": 3}),
        (["560001", "110001"], {"keep_first": 3}),
        (["94103", "10001"], {"keep_first": 3}),
    ],
)
def test_postal_codes_are_cut_to_the_region_of_their_country(
    tmp_path: Path, codes: list[str], treatment: dict[str, int]
) -> None:
    columns = {"postcode": [codes[i % 2] for i in range(400)], "ward": [i % 3 for i in range(400)]}
    columns["outcome"] = [i % 5 // 3 for i in range(400)]
    assert treatments(drafted(tmp_path, columns))["postcode"] == {"kind": "generalise_geography", **treatment}


@pytest.mark.parametrize("pair", [False, True])
def test_coordinates_lose_their_decimals(tmp_path: Path, pair: bool) -> None:
    degrees = [(50.1 + i % 3 / 1_000, 8.6 + i % 2 / 1_000) for i in range(400)]
    columns: dict[str, list[Any]] = {"ward": [i % 3 for i in range(400)], "outcome": [i % 5 // 3 for i in range(400)]}
    if pair:
        columns["coordinates"] = [f"{north:.4f}, {east:.4f}" for north, east in degrees]
    else:
        columns["latitude"], columns["longitude"] = (list(part) for part in zip(*degrees, strict=True))
    draft = drafted(tmp_path, columns)
    places = ["coordinates"] if pair else ["latitude", "longitude"]
    assert all(treatments(draft)[name] == {"kind": "generalise_geography", "decimals": 1} for name in places)
    assert set(places) == set(attributes(draft)["anonymity"]["quasi_identifiers"])


@pytest.mark.parametrize("subject", ["patient_no", None])
@pytest.mark.parametrize("table", [hospital, clinic])
def test_what_is_asked_of_anonymity_holds_when_people_are_counted_one_by_one(
    tmp_path: Path, table: Any, subject: str | None
) -> None:
    columns = table()
    subject = subject if subject in columns else None
    policy = written(drafted(tmp_path, columns, subject=subject), tmp_path)
    assert policy.anonymity is not None
    assert policy.anonymity.k >= 5
    rows = masked(policy, tmp_path / "table.csv")
    rows["person"] = rows[subject] if subject else range(len(rows))
    classes = rows.groupby(list(policy.quasi_identifiers), dropna=False)["person"].nunique()
    assert classes.min() >= policy.anonymity.k
    refused = try_checks(recognise(tmp_path / "table.csv").open_for(policy), policy)
    assert (refused.columns, refused.anonymity) == ((), False)


@pytest.mark.parametrize("subject", ["patient_no", None])
def test_no_draft_is_refused_by_what_classified_finds(tmp_path: Path, subject: str | None) -> None:
    policy = written(drafted(tmp_path, hospital(), subject=subject), tmp_path)
    classified = classify(recognise(tmp_path / "table.csv").open_for(policy), subject=subject)
    findings = [finding for batch in classified.scan() for finding in read_findings(batch)]
    found = compare(findings, policy.columns, blocking_confidence=0.6, subject=subject)
    assert not [d.message for d in found if d.severity is Severity.BLOCKING]


def test_a_category_that_holds_an_identifier_is_dropped_before_the_check_refuses_it(tmp_path: Path) -> None:
    columns = hospital()
    columns["channel"] = ["9845012345" if i < 60 else ("post", "hand", "web")[i % 3] for i in range(ROWS)]
    draft = drafted(tmp_path, columns)
    assert treatments(draft)["channel"] == {"kind": "drop"}
    assert "# An identifier is found in cells of it that would be left." in draft.text
    assert "9845012345" not in draft.text
    written(draft, tmp_path)


def test_a_few_addresses_among_other_words_do_not_name_the_people(tmp_path: Path) -> None:
    columns = {name: cells for name, cells in hospital().items() if name not in {"patient_no", "case_number"}}
    columns["channel"] = ["zorblax@invented.example" if i < 60 else ("post", "hand")[i % 2] for i in range(ROWS)]
    assert treatments(drafted(tmp_path, columns))["stay"] == {"kind": "keep"}


def test_where_no_bound_holds_the_draft_says_so_and_asks_for_none(tmp_path: Path) -> None:
    draw = random.Random(5)
    columns: dict[str, list[object]] = {f"race {n}": [draw.choice(["a", "b"]) for _ in range(400)] for n in range(10)}
    columns |= {"level": [i % 7 for i in range(400)], "outcome": [i % 5 // 3 for i in range(400)]}
    draft = drafted(tmp_path, columns)
    assert written(draft, tmp_path).anonymity is None
    assert "However coarse these are made, fewer than 5 people share some combination" in draft.text
    assert any(question.startswith("anonymity: ") for question in draft.to_confirm)


def test_a_bound_that_held_on_some_rows_only_is_not_drafted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft_module, "_ROWS_TO_SEARCH", 600)
    numbers, _ = People(None, ()).of(pa.RecordBatch.from_pydict({"x": range(3_000)}), first_row=0)
    # Five rows that are not searched have two rare values at once.
    both = set(np.argsort(numbers)[-5:].tolist())
    columns: dict[str, list[object]] = {
        f"race {n}": ["ab"[i in both or i % 10 == n] for i in range(3_000)] for n in range(2)
    }
    columns |= {"level": [i % 7 for i in range(3_000)], "outcome": [i % 5 // 3 for i in range(3_000)]}
    policy = written(drafted(tmp_path, columns), tmp_path)
    assert policy.anonymity is not None
    rows = masked(policy, tmp_path / "table.csv")
    assert rows.groupby(list(policy.quasi_identifiers), dropna=False).size().min() >= policy.anonymity.k


def test_who_is_in_the_table_is_settled_before_a_bound_is_drafted(tmp_path: Path) -> None:
    columns = hospital()
    columns["consent_research"] = [("Y", "N")[i % 4 == 0] for i in range(ROWS)]
    columns["consent_marketing"] = [("Y", "N")[i % 3 == 0] for i in range(ROWS)]
    assert "anonymity" not in attributes(drafted(tmp_path, columns))
    (tmp_path / "told").mkdir()
    told = drafted(tmp_path / "told", columns, consent="consent_research", subject="patient_no")
    policy = written(told, tmp_path / "told")
    assert policy.anonymity is not None
    rows = masked(policy, tmp_path / "told" / "table.csv")
    assert len(rows) < ROWS  # only those who agreed are company for each other
    people = rows.groupby(list(policy.quasi_identifiers), dropna=False)["patient_no"].nunique()
    assert people.min() >= policy.anonymity.k


def test_drafted_treatments_keep_the_guarantee_void_until_the_steward_has_chosen_their_own(tmp_path: Path) -> None:
    columns = attributes(drafted(tmp_path, hospital(), subject="patient_no", accept=False))["columns"]
    assert columns["bill_amount"]["use"]["bounds_from"] == "data"
    assert "bins" not in columns["bill_amount"]["use"]
    assert "bounds_from" not in columns["stay"]["use"]  # its treatment holds nothing of the data


def test_every_choice_has_its_reason_on_one_line(tmp_path: Path) -> None:
    lines = drafted(tmp_path, hospital(), subject="patient_no").text.splitlines()
    for kind in ("token", "date_shift", "generalise_date", "generalise_category", "top_bottom_code", "scrub_text"):
        (line, *_) = (line for line in lines if f"treatment: {{kind: {kind}" in line)
        assert "} # " in line, kind
