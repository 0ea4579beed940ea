"""Grants, promotions, rotations and looks while each write, sync and rename fails or kills, in turn.

What was acknowledged stands, what was not is there whole or not at all, and the log verifies.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from secure_ml.access.stages import Stage
from secure_ml.vault.granting import list_grants
from secure_ml.vault.inspection import verify_heads
from secure_ml.vault.promotion import list_promotions
from secure_ml_tests.environments.finished import ENVIRONMENT
from secure_ml_tests.environments.staged import Staged
from secure_ml_tests.fakes.small_project import PROJECT
from secure_ml_tests.faults import rights
from secure_ml_tests.faults.injection import WAYS, Ended, Work, each_call, require_strace

pytestmark = pytest.mark.journey

ROWS = 40


def acknowledged(ended: Ended, words: str) -> list[str]:
    return [said.removeprefix(f"{words} ") for said in ended.said if said.startswith(f"{words} ")]


def logged(staged: Staged, action: str, outcome: str = "done") -> int:
    return sum((e.action, e.outcome) == (action, outcome) for e in staged.installation.log.entries())


def a_request_is_whole_or_not_there(staged: Staged, ended: Ended) -> None:
    stored = [grant.grant_id for grant in list_grants(staged.kernel_of("steward"), **rights.PLACE, own=False)]
    assert len(stored) in {1, 2}
    assert len(stored) == logged(staged, "grant.request")
    assert set(acknowledged(ended, "asked")) <= set(stored[1:])


def an_approval_is_whole_or_not_there(staged: Staged, ended: Ended) -> None:
    (grant,) = list_grants(staged.kernel_of("steward"), **rights.PLACE, own=False)
    approved = bool(grant.approved_by)
    assert approved == logged(staged, "grant.approve")
    assert approved or not acknowledged(ended, "approved")


def a_promotion_is_whole_or_not_there(staged: Staged, ended: Ended) -> None:
    found = [found.promotion_id for found, _ in list_promotions(staged.kernel_of("officer"), **rights.NEXT)]
    assert len(found) in {0, 1}
    assert len(found) == logged(staged, "promotion.record")
    assert set(acknowledged(ended, "promoted")) <= set(found)


def a_rotation_loses_no_key_and_can_be_finished(staged: Staged, ended: Ended) -> None:
    def read() -> None:
        look = staged.client_of("scientist").explore(**rights.PLACE, stage=Stage.MASKED, purpose=rights.PURPOSE)
        assert look.read().num_rows == ROWS

    def state() -> tuple[int, bool, int]:
        found, refusal = staged.installation.keys.describe()
        assert refusal == ""
        (training,) = [one for one in found.environments if one.environment == ENVIRONMENT]
        return training.epoch, training.rotating, training.living

    read()
    epoch, rotating, living = state()
    assert not rotating or not acknowledged(ended, "rotated")
    assert not acknowledged(ended, "rotated") or acknowledged(ended, "rotated") == [str(epoch)]
    rights.rotate(staged.root, lambda words: None)
    # One that was begun is joined, where none was another is made.
    assert state() == (epoch + (not rotating), False, living)
    read()


def what_was_seen_is_in_the_log(staged: Staged, ended: Ended) -> None:
    seen = acknowledged(ended, "saw")
    assert seen in ([], [str(ROWS)])
    assert not seen or logged(staged, "version.read", "allowed") == 1


OPERATIONS: dict[str, tuple[Work, Callable[[Staged, Ended], None]]] = {
    "ask": (rights.ask, a_request_is_whole_or_not_there),
    "approve": (rights.approve, an_approval_is_whole_or_not_there),
    "promote": (rights.let_on, a_promotion_is_whole_or_not_there),
    "rotate": (rights.rotate, a_rotation_loses_no_key_and_can_be_finished),
    "look": (rights.look, what_was_seen_is_in_the_log),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_strace()
    root = tmp_path_factory.mktemp("prepared")
    rights.prepare(root)
    return root


# These two make hundreds of writes, all in transactions: of them each commit kills, and the shorter ones meet the rest.
LONG = {"promote", "rotate"}
CASES = [(name, way) for name in OPERATIONS for way in WAYS if name not in LONG or way.endswith("kills")]


@pytest.mark.parametrize(("name", "way"), CASES)
def test_whatever_call_fails_rights_and_keys_are_whole(prepared: Path, tmp_path: Path, name: str, way: str) -> None:
    (work, holds), (kind, kill) = OPERATIONS[name], WAYS[way]
    for root, ended in each_call(work, prepared, tmp_path, kind=kind, kill=kill):
        staged = rights.opened(root)
        staged.installation.log.verify()
        heads = staged.installation.versions.heads(environment=ENVIRONMENT, project=PROJECT)
        verify_heads(heads, staged.installation.settings.vault, on_file=lambda: None)
        holds(staged, ended)
