"""Each write, sync and rename of an operation fails or kills its process, in turn, until the operation succeeds.

Whatever was acknowledged stands, whatever was not is there whole or not at all, and the log verifies.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.keys.errors import KeyDestroyed
from secure_ml.vault.errors import ChecksNotPassed
from secure_ml.vault.inspection import verify_heads
from secure_ml_tests.fakes.small_project import ENVIRONMENT, PROJECT, SmallProject, open_small_project, rows
from secure_ml_tests.faults import work
from secure_ml_tests.faults.injection import WAYS, Ended, Work, each_call, require_strace, struck

pytestmark = pytest.mark.journey

MOST_CALLS = 400
CANARIES = [value.encode() for name in ("full_name", "email") for value in (row[name] for row in rows()[:3])]


@dataclass(frozen=True)
class Operation:
    """Something that is done while the disk fails, and what must hold afterwards."""

    do: Work
    holds: Callable[[SmallProject, Ended], None]


def a_write_is_whole_or_not_there(project: SmallProject, ended: Ended) -> None:
    door = project.door("afterwards")
    manifest, masked = door.assess(Stage.MASKED, "")
    acknowledged = [words.removeprefix("committed ") for words in ended.said if words.startswith("committed ")]
    assert not acknowledged or acknowledged == [manifest.version_id]
    assert (manifest.sequence, masked.read().num_rows) in {(1, 40), (2, 50)}
    if ended.code == 0:
        left = sorted(path.name for path in project.home.glob("vault/*/*/masked/_/*"))
        committed = sorted(
            str(entry.details["version_id"])
            for entry in project.log("version.commit")
            if entry.outcome == "done" and entry.resource.endswith("/masked")
        )
        assert left == committed
        assert not list(project.home.glob("vault/**/*.partial"))


def a_charge_is_never_refunded(project: SmallProject, ended: Ended) -> None:
    spent = project.installation.ledger.spent(work.PLACE).epsilon
    acknowledged = [Decimal(words.removeprefix("charged ")) for words in ended.said if words.startswith("charged ")]
    assert spent in {Decimal("0.25"), Decimal("0.5")}
    assert not acknowledged or spent == acknowledged[0]
    assert spent == Decimal("0.25") * sum(entry.outcome == "done" for entry in project.log("budget.charge"))


def a_verdict_is_kept_once_it_is_acknowledged(project: SmallProject, ended: Ended) -> None:
    closed = True
    try:
        project.door("reader").open(Stage.RAW, "", by=Stage.MASKED)
        closed = False
    except ChecksNotPassed:
        pass
    assert closed or not any(words.startswith("judged") for words in ended.said)


def keys_are_destroyed_or_not(project: SmallProject, ended: Ended) -> None:
    destroyed = False
    try:
        _, masked = project.door("reader").assess(Stage.MASKED, "")
        assert masked.read().num_rows == 40
    except KeyDestroyed:
        destroyed = True
    assert destroyed or "destroyed" not in ended.said


OPERATIONS = {
    "write": Operation(work.write, a_write_is_whole_or_not_there),
    "charge": Operation(work.charge, a_charge_is_never_refunded),
    "verdict": Operation(work.judge, a_verdict_is_kept_once_it_is_acknowledged),
    "destroy": Operation(work.destroy, keys_are_destroyed_or_not),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_strace()
    root = tmp_path_factory.mktemp("prepared")
    work.prepare(root)
    return root


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_call_fails_nothing_acknowledged_is_lost(prepared: Path, tmp_path: Path, name: str, way: str) -> None:
    operation, (kind, kill) = OPERATIONS[name], WAYS[way]
    for root, ended in each_call(operation.do, prepared, tmp_path, kind=kind, kill=kill):
        project = open_small_project(root)
        project.installation.log.verify()
        heads = project.installation.versions.heads(environment=ENVIRONMENT, project=PROJECT)
        verify_heads(heads, project.installation.settings.vault, on_file=lambda: None)
        operation.holds(project, ended)
        no_plaintext(root)


def no_plaintext(root: Path) -> None:
    """No cell of the table stands in any file but its source."""
    for path in root.rglob("*"):
        if path.is_file() and path.parent.name != PROJECT:
            content = path.read_bytes()
            assert not any(canary in content for canary in CANARIES), path


def test_the_search_for_plaintext_can_fail(prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "left.tmp").write_bytes(b"x" + CANARIES[0])
    with pytest.raises(AssertionError):
        no_plaintext(tmp_path)


@pytest.mark.parametrize("kind", ["sync", "rename"])
def test_a_first_day_that_fails_can_be_begun_again(tmp_path: Path, kind: str) -> None:
    require_strace()
    for nth in range(1, MOST_CALLS):
        root = tmp_path / str(nth)
        root.mkdir()
        ended = struck(work.open_first, root, kind=kind, nth=nth, kill=True)
        if not ended.struck:
            return
        project = open_small_project(root) if (root / "defs").exists() and any((root / "defs").rglob("*.csv")) else None
        if project is not None:
            project.write_raw()
            project.installation.log.verify()
        shutil.rmtree(root)
    pytest.fail("the first day makes too many calls")
