"""Invented tables for drafting, and what may be said of them."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from secure_ml.protection.draft import Draft, draft_policy

TODAY = date(2024, 11, 24)

Columns = Mapping[str, Sequence[object]]


def clinic(rows: int = 400) -> dict[str, list[object]]:
    """Invented patients, one row each, with one column of nearly every kind."""
    return {
        "patient_id": [f"P{i:06d}" for i in range(rows)],
        "full name": [f"Zorblax Quillfeather{chr(97 + i % 26)}" for i in range(rows)],
        "email": [f"zorblax{i}@invented.example" for i in range(rows)],
        "date_of_birth": [f"19{30 + i % 60:02d}-0{1 + i % 9}-1{i % 10}" for i in range(rows)],
        "gender": [("female", "male")[i % 2] for i in range(rows)],
        "religion": [("hindu", "muslim", "christian", "sikh")[i % 4] for i in range(rows)],
        "marital_status": [("single", "married")[i // 2 % 2] for i in range(rows)],
        "pin_code": [560001 + i % 40 for i in range(rows)],
        "monthly_income": [20_000 + 137 * (i * 7919 % rows) for i in range(rows)],
        "remarks": [f"patient number {i} came by bus and spoke for a while" for i in range(rows)],
        "glucose": [70 + (i * 31) % 90 + i % 10 / 10 for i in range(rows)],
        "ward": [("north", "south", "east", "a ward of one's own")[3 if i == 7 else i % 3] for i in range(rows)],
        "visited": [f"2024-0{1 + i % 9}-1{i % 10}" for i in range(rows)],
        "outcome": [("no", "yes")[i % 5 in {0, 2}] for i in range(rows)],
    }


def write_csv(path: Path, columns: Columns, *, delimiter: str = ",") -> Path:
    """Writes a table."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def drafted(folder: Path, columns: Columns, *, label: str = "outcome", **changes: Any) -> Draft:
    """Writes a table and drafts for it, accepted unless told otherwise."""
    settings: dict[str, Any] = {"project": "invented", "subject": None, "accept": True, "folder": folder}
    settings |= {"today": TODAY, **changes}
    return draft_policy(write_csv(folder / "table.csv", columns), label=label, **settings)


def attributes(draft: Draft) -> dict[str, Any]:
    """What the drafted file says."""
    content: dict[str, Any] = yaml.safe_load(draft.text)["attributes"]
    return content


def named_values(draft: Draft, column: str) -> list[object]:
    """Every value that the draft says of a column: bins, categories, steps, cuts."""
    declared = attributes(draft)["columns"][column]
    found: list[object] = []
    for part in (declared["treatment"], declared["use"]):
        for value in part.values():
            found += value if isinstance(value, list) else [value] if isinstance(value, (int, float)) else []
    return found


Table = Callable[..., Columns]
