"""The access matrix against its golden, and against the code that it is asked of."""

import re
from pathlib import Path

import pytest

from secure_ml.access.matrix import matrix, render
from secure_ml.access.roles import ROLES_FILE, Roles, shipped_roles

GOLDEN = Path(__file__).with_name("matrix.txt")

RISKY = """\
roles:
  reader:
    meaning: Looks at everything in one environment.
    held_by: person
    may:
      - actions: [version.read]
        environments: [test]
        stages: [raw, split]
        categories: [internal, pii]
        sides: [test]
      - actions: [keys.rotate]
  keeper:
    meaning: Keeps the keys and opens nothing.
    held_by: person
    may:
      - actions: [keys.status]
    never: [version.read]
"""


def test_the_shipped_roles_allow_what_the_golden_says() -> None:
    """After a change that was meant: `secure-ml access matrix | head -n -2 > secure_ml_tests/access/matrix.txt`."""
    assert render(matrix()) == GOLDEN.read_text(encoding="utf-8")


def test_no_line_is_too_long_for_a_page() -> None:
    assert max(map(len, GOLDEN.read_text(encoding="utf-8").splitlines())) <= 120


def test_the_matrix_tells_what_is_decided() -> None:
    found = matrix(Roles.parse(RISKY, name=ROLES_FILE))
    told = [(p.role, p.action, p.on, p.categories, p.environments, p.condition) for p in found.permissions]
    assert told == [
        ("reader", "version.read", ("raw", "split/test"), ("internal", "pii"), ("test",), ""),
        ("reader", "keys.rotate", (), (), (), ""),
        ("keeper", "keys.status", (), (), (), ""),
    ]
    assert found.never == {"keeper": ("version.read",)}


def test_what_the_code_forbids_is_in_no_matrix_whatever_the_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table copied from the file would still show it."""
    from secure_ml.access import decisions

    assert "model.approve     of another" in render(matrix())
    monkeypatch.setattr(decisions, "_covers", lambda *_: False)
    assert matrix().permissions == ()


def test_one_environment_is_shown_alone() -> None:
    told = render(matrix(), environment="development")
    assert "production" not in told
    assert not re.search(r"^  (model\.approve|grant\.(request|approve|revoke)) ", told, re.MULTILINE)
    assert re.search(r"^  run\.start +split trained validated +development$", told, re.MULTILINE)
    for name in shipped_roles().roles:
        assert re.search(rf"^{name}$", told, re.MULTILINE)
