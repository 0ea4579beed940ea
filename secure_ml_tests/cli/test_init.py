"""`secure-ml init`."""

import random
from pathlib import Path

import pytest

from secure_ml.installation import Installation
from secure_ml.settings import read_settings
from secure_ml_tests.cli.terminal import Said, Terminal


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    """Four hundred invented visits of two hundred patients."""
    return write_visits(tmp_path / "visits.csv")


def write_visits(file: Path, *, visits: int = 400) -> Path:
    """An invented table with a patient's key, a direct identifier, three features and an outcome; two visits each."""
    draw = random.Random(7)
    lines = ["patient_id,email,age,ward,stay_days,readmitted"]
    for visit in range(visits):
        patient = visit % (visits // 2)
        age, stay = draw.randrange(20, 90), draw.randrange(1, 20)
        again = "yes" if age + 4 * stay + draw.gauss(0, 20) > 95 else "no"
        ward = draw.choice(["surgery", "medicine"])
        lines.append(f"PAT-{patient:05d},zorblax.{patient:05d}@invented.example,{age},{ward},{stay},{again}")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def _init(terminal: Terminal, data: Path, *options: str) -> Said:
    return terminal("init", "visits", "--data", str(data), "--label", "readmitted", "--subject", "patient_id", *options)


def test_the_draft_lies_in_a_home_that_others_cannot_read(terminal: Terminal, visits: Path) -> None:
    said = _init(terminal, visits)
    assert said.code == 0
    file = terminal.home / "projects" / "visits" / "defs.yaml"
    assert file.is_file()
    assert f"Drafted {file}" in said.out
    assert "Edit the draft, then: secure-ml run visits" in said.out
    assert terminal.home.stat().st_mode & 0o077 == 0


def test_the_log_has_it_before_the_table_is_looked_at(terminal: Terminal, tmp_path: Path) -> None:
    assert _init(terminal, tmp_path / "nowhere.csv").code == 1
    settings = read_settings({"SECURE_ML_HOME": str(terminal.home), "SECURE_ML_KEYS": str(terminal.keys)})
    (entry,) = Installation(settings, {}).log.entries()
    assert (entry.action, entry.resource, entry.outcome) == ("source.draft", "visits", "allowed")


def test_every_column_is_told_whole_and_no_cell(terminal: Terminal, visits: Path) -> None:
    said = _init(terminal, visits)
    assert "…" not in said.out
    for column in ("patient_id", "email", "age", "ward", "stay_days", "readmitted"):
        assert column in said.out
    assert "invented.example" not in said.out + said.err
    assert "PAT-0" not in said.out + said.err


def test_json_has_the_fields_that_programs_read(terminal: Terminal, visits: Path) -> None:
    told = _init(terminal, visits, "--accept", "--json").json
    assert set(told) == {"policy", "columns", "open_questions", "to_confirm", "warnings"}
    assert {column["column"] for column in told["columns"]} >= {"patient_id", "email", "age"}
    assert told["open_questions"] == []


def test_a_policy_that_is_there_is_not_overwritten(terminal: Terminal, visits: Path) -> None:
    _init(terminal, visits)
    file = terminal.home / "projects" / "visits" / "defs.yaml"
    before = file.read_bytes()
    said = _init(terminal, visits, "--accept")
    assert said.code == 1
    assert said.err.startswith("error PolicyExists: ")
    assert file.read_bytes() == before


def test_an_unknown_label_is_refused_and_no_policy_is_written(terminal: Terminal, visits: Path) -> None:
    said = terminal("init", "visits", "--data", str(visits), "--label", "nowhere")
    assert said.code == 1
    assert not said.out
    assert said.err.startswith("error DraftError: the label column 'nowhere' is not in the table")
    assert not (terminal.home / "projects").exists()


def test_a_folder_elsewhere_is_said_not_to_be_looked_in(terminal: Terminal, visits: Path, tmp_path: Path) -> None:
    said = _init(terminal, visits, "--folder", str(tmp_path / "elsewhere"))
    assert said.code == 0
    assert (tmp_path / "elsewhere" / "defs.yaml").is_file()
    assert "it is looked for in" in said.out
    assert not (terminal.home / "projects").exists()
