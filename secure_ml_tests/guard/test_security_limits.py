from datetime import time
from pathlib import Path

import pytest

from secure_ml.guard.security_limits import VARIABLE, Limits, SecurityLimitsError, read_limits
from secure_ml_tests.docs.pages import blocks

FILE = """
refusals: 3
time_zone: Asia/Kolkata
working_hours:
  days: [monday, friday]
  start: "08:00"
  end: "19:30"
"""


def read(tmp_path: Path, text: str) -> Limits:
    file = tmp_path / "limits.yaml"
    file.write_text(text, encoding="utf-8")
    return read_limits({VARIABLE: str(file)})


def test_without_a_file_the_defaults_hold() -> None:
    assert read_limits({}) == Limits()


def test_the_file_changes_what_it_names(tmp_path: Path) -> None:
    limits = read(tmp_path, FILE)
    assert (limits.refusals, limits.refusals_minutes) == (3, Limits().refusals_minutes)
    assert limits.working_hours is not None
    assert limits.working_hours.end == time(19, 30)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("refusals: 0", r"limits\.yaml:1: refusals: .*greater than or equal to 1"),
        ("\nrefusal: 3", r"limits\.yaml:2: refusal: no such field"),
        ("time_zone: Mars/Olympus", r":1: time_zone: is no time zone"),
        ("time_zone: ../../etc/passwd", r":1: time_zone: is no time zone"),
        ('working_hours: {days: [monday], start: "08:00", end: "08:00"}', "start and end must differ"),
        ("working_hours: {days: [], start: '08:00', end: '09:00'}", "days"),
        ("- refusals", "expected limits"),
        ("refusals: [", "not valid YAML"),
    ],
)
def test_a_wrong_file_is_told_by_line_and_field(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SecurityLimitsError, match=told):
        read(tmp_path, text)


def test_the_page_shows_every_limit_with_its_default(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "security-events.md"
    (block,) = [block for block in blocks(page) if block.kind == "yaml"]
    shown = read(tmp_path, "\n".join(block.lines))
    assert shown.model_fields_set == set(Limits.model_fields)
    assert shown.model_copy(update={"time_zone": "UTC", "working_hours": None}) == Limits()


def test_a_missing_file_is_no_default() -> None:
    with pytest.raises(SecurityLimitsError, match=f"cannot be read.*{VARIABLE}"):
        read_limits({VARIABLE: "/nowhere/limits.yaml"})
