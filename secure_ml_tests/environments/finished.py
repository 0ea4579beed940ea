"""A project that was brought to the end in training, by an installation that has a person of every role."""

import shutil
from pathlib import Path

from secure_ml_tests.environments.staged import ACTORS, Staged, make_staged, open_staged
from secure_ml_tests.fakes.reversible_columns import with_reversible_columns
from secure_ml_tests.fakes.separated import whole_way
from secure_ml_tests.fakes.small_project import Attributes

ENVIRONMENT = "training"
PEOPLE = """\
  person:steward-1: {roles: [data_steward], logins: [steward]}
  person:dpo-1: {roles: [data_protection_officer], logins: [dpo]}
  person:admin-1: {roles: [admin], logins: [keeper]}
  person:auditor-1: {roles: [auditor], logins: [auditor]}
"""


def _change(content: Attributes) -> None:
    whole_way(content)
    with_reversible_columns(content)


def make_finished(root: Path) -> Staged:
    """Makes it below `root`; no promotion was needed to begin."""
    make_staged(root, change=_change)
    (root / "actors.yaml").write_text(ACTORS + PEOPLE, encoding="utf-8")
    finished = open_finished(root)
    finished.run(ENVIRONMENT)
    return finished


def open_finished(root: Path) -> Staged:
    """Opens the one below `root`, in a new process, as it were."""
    return open_staged(root, promotion_required=False)


def copy_finished(finished: Staged, root: Path) -> Staged:
    """A copy of it elsewhere."""
    for name in ("home", "keys", "defs"):
        shutil.copytree(finished.root / name, root / name)
    shutil.copy(finished.root / "actors.yaml", root)
    return open_finished(root)
