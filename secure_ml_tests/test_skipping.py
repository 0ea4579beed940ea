"""Continuous integration skips nothing: a test that lacks something ends through the one function that fails there."""

import re
from pathlib import Path

import pytest

from secure_ml_tests.fakes.needed import missing

TESTS = Path(__file__).parent
SKIPPING = re.compile(r"pytest\.(skip|importorskip|xfail)\b|mark\.(skip|skipif|xfail)\b")


def test_no_test_skips_itself() -> None:
    skipping = [path.name for path in TESTS.rglob("*.py") if SKIPPING.search(path.read_text(encoding="utf-8"))]
    assert skipping == ["needed.py"]


@pytest.mark.parametrize(("variables", "outcome"), [({"CI": "true"}, "Failed"), ({}, "Skipped")])
def test_what_is_missing_fails_in_continuous_integration(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], outcome: str
) -> None:
    monkeypatch.delenv("CI", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BaseException, match="no strace") as ended:
        missing("no strace")
    assert type(ended.value).__name__ == outcome
