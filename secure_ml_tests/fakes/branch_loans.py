"""A second project beside the shipped one: three months of 300 invented loan applications, under the shipped policy."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

import secure_ml
from secure_ml.recipes.loans import write_loans

PROJECT = "branch_loans"
MONTHS = ("2024-01", "2024-02", "2024-03")
ROWS = 300
UNDECLARED = "guarantor_contact"
"""Column that the policy does not know; the tests put e-mail addresses there."""

_SHIPPED = Path(secure_ml.__file__).parent / "defs" / "loan_approval" / "defs.yaml"


@dataclass(frozen=True)
class BranchLoans:
    """The project's folder, with its source files in `table/`."""

    folder: Path

    def source(self, month: str) -> Path:
        return self.folder / "table" / f"{month}.csv"

    def add_undeclared_contacts(self, month: str) -> tuple[str, ...]:
        """Puts a column of e-mail addresses into one month's file. Returns the addresses."""
        with self.source(month).open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        addresses = tuple(f"guarantor.{number:03d}@post.example.in" for number in range(len(rows)))
        with self.source(month).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*header, UNDECLARED])
            writer.writerows([*row, address] for row, address in zip(rows, addresses, strict=True))
        return addresses


def write_branch_loans(projects: Path) -> BranchLoans:
    """Writes policy and source files into `projects/branch_loans`."""
    project = BranchLoans(projects / PROJECT)
    project.folder.mkdir(parents=True)
    document = yaml.safe_load(_SHIPPED.read_text(encoding="utf-8"))
    _edit(document["attributes"])
    (project.folder / "defs.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    write_loans(project.folder / "table", rows=ROWS * len(MONTHS), months=len(MONTHS), seed=7, on_progress=None)
    return project


def environment_of(root: Path) -> Mapping[str, str]:
    """Variables of an installation below `root`."""
    return {"SECURE_ML_HOME": str(root / "home"), "SECURE_ML_KEYS": str(root / "keys")}


def _edit(policy: dict[str, object]) -> None:
    policy["project"] = PROJECT
    policy["title"] = "Personal loans of one branch"
    source = policy["source"]
    assert isinstance(source, dict)
    source |= {
        "path": "table/{partition}.csv",
        "partitions": {"kind": "monthly", "start": MONTHS[0], "end": MONTHS[-1]},
    }
    quality = policy["quality"]
    assert isinstance(quality, dict)
    quality["minimum_rows"] = 100
    # Of so few people, fewer than five may share a gender.
    policy.pop("anonymity")
