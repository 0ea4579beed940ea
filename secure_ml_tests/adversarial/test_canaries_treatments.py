"""Values in a column of every treatment that there is, in cells of the wrong type, too long, or broken.

A treatment that meets a cell which it cannot take must count it. No error, line, finding, summary or file in clear may
quote it, and what is left to read is encrypted.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.policy.treatments import TREATMENTS
from secure_ml_tests.adversarial.search import Texts, search, search_folder
from secure_ml_tests.fakes.loan_installation import Attributes, LoanInstallation, Row, add_project, loan_installation
from secure_ml_tests.protection.mask.every_kind import SPECS, TYPES

NAME, OTHER = "Zorblax Quillfeather", "Xyzzyphene Quuxenheimer"
BROKEN = (
    NAME, f"12 {NAME}", f"1990-02-31 {NAME}", f"{'x' * 30_000} {NAME}", f"{NAME}\x07\x1b[31m\u202e", f"\u24d0 {NAME}",
    f"1e999 {NAME}", f'"{NAME}"; drop table people', f"{{{NAME}}} %s {OTHER}", f"../../{OTHER}",
    f"\N{SNOWMAN}{OTHER}\u0301",
)  # fmt: skip
TEXTS = Texts({"name": [NAME], "other": [OTHER]})

COLUMNS = {
    f"{kind}_{number}": {"kind": kind, **fields}
    for kind, specs in SPECS.items()
    for number, fields in enumerate(specs, 1)
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoanInstallation]:
    with loan_installation(tmp_path_factory.mktemp("treatments")) as made:
        yield made


def declare_columns(content: Attributes) -> None:
    for name, treatment in COLUMNS.items():
        content["columns"][name] = {
            "description": "an invented column",
            "type": TYPES.get(treatment["kind"], "string"),
            "category": "pii",
            "identifiability": "quasi",
            "treatment": treatment,
            "use": {"kind": "never" if treatment["kind"] == "drop" else "review"},
        }


def write_cells(table: list[Row]) -> None:
    """Whole cells of every column; in some rows what no treatment expects."""
    for index, row in enumerate(table):
        day, number = f"19{50 + index % 50}-03-{1 + index % 28:02d}", str(100_000 + index * 7)
        row |= {name: day if TYPES.get(spec["kind"]) == "date" else number for name, spec in COLUMNS.items()}
    for row, broken in zip(table[20:], BROKEN, strict=False):
        row |= dict.fromkeys(COLUMNS, broken)


def test_a_cell_that_no_treatment_can_take_is_counted_and_quoted_nowhere(
    installed: LoanInstallation, tmp_path: Path
) -> None:
    assert {treatment["kind"] for treatment in COLUMNS.values()} == set(TREATMENTS)
    add_project(installed, "treated", rows=600, change=declare_columns, edit=write_cells)
    program = Path(sys.executable).with_name("secure-ml")
    done = subprocess.run(
        [program, "run", "treated", "--until", "masked"],
        capture_output=True, timeout=500, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip

    assert search(TEXTS, done.stdout + done.stderr) == {}
    assert search_folder(TEXTS, installed.home) == search_folder(TEXTS, tmp_path) == {}
    masked = installed.head("treated", Stage.MASKED)
    assert masked is not None, done.stderr.decode()
    assert masked.summary["unknown.generalise_number_1"] == masked.summary["unknown.date_shift_1"] == len(BROKEN)
