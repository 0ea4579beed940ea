import multiprocessing
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, func, insert, select, text, update

from secure_ml.audit import log as log_module
from secure_ml.audit import verification
from secure_ml.audit.checkpoint import Checkpoint, sign_checkpoint
from secure_ml.audit.errors import CheckpointRefused
from secure_ml.audit.log import AuditError, AuditEvent, AuditLog, AuditLogTampered
from secure_ml.audit.merkle import Frontier, leaf_hash, verify_consistency, verify_inclusion
from secure_ml.audit.verification import verify_log
from secure_ml.state.database import State, StateError
from secure_ml.state.tables import audit_entries, audit_tree, budget_limits, checkpoints
from secure_ml_tests.audit.signers import SeededSigner

SECRET = b"s" * 32
EVENT = AuditEvent("dataset.read", "training/loans/raw", "allowed", "asha", "run-1", {"rows": 3}, "monthly review")
ENTRIES = 11


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'state.db'}"


def _log(folder: Path, *, seed: int = 1, secret: bytes = SECRET) -> AuditLog:
    signer = SeededSigner(seed=seed)
    return AuditLog(
        State.open(_url(folder)),
        signer,
        origin="test/log",
        commitment_secret=secret,
        clock=lambda: datetime(2024, 1, 2, tzinfo=UTC),
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    log = _log(folder)
    for number in range(ENTRIES):
        log.record(replace(EVENT, details={"rows": number}))
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    shutil.copy(written / "state.db", tmp_path / "state.db")
    return tmp_path


def _tamper(folder: Path, change: Callable[[Connection], object]) -> None:
    with State.open(_url(folder)).transaction() as connection:
        change(connection)


def test_entries_are_numbered_from_zero_and_read_back(tmp_path: Path) -> None:
    log = _log(tmp_path)
    assert [log.record(EVENT) for _ in range(3)] == [0, 1, 2]
    second = list(log.entries(start=1, stop=2))
    assert [entry.entry_index for entry in second] == [1]
    assert (second[0].action, second[0].actor, second[0].reason, second[0].details) == (
        "dataset.read",
        "asha",
        "monthly review",
        {"rows": 3},
    )
    assert second[0].time == "2024-01-02T00:00:00.000000+00:00"


def test_an_untouched_log_verifies_against_every_earlier_checkpoint(folder: Path) -> None:
    log = _log(folder)
    with State.open(_url(folder)).reading() as connection:
        notes = connection.scalars(select(checkpoints.c.note).order_by(checkpoints.c.size)).all()
    for size, note in enumerate(notes, start=1):
        assert log.verify(earlier_checkpoint=note).consistent_with == size
    found = log.verify()
    assert (found.size, found.erased, found.consistent_with) == (ENTRIES, 0, None)
    assert found.checkpoint == log.checkpoint() == notes[-1]
    assert log.key.verify(notes[-1]).root == found.root


def test_reading_and_verifying_cross_pages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "_PAGE_ENTRIES", 4)
    monkeypatch.setattr(verification, "_PAGE_ENTRIES", 4)
    log = _log(folder)
    assert log.verify().size == ENTRIES
    assert [entry.details["rows"] for entry in log.entries()] == list(range(ENTRIES))


def test_an_empty_log_has_a_checkpoint_and_verifies(tmp_path: Path) -> None:
    log = _log(tmp_path)
    empty = log.checkpoint()
    assert log.key.verify(empty).size == 0
    assert log.verify(earlier_checkpoint=empty).size == 0
    log.record(EVENT)
    assert log.verify(earlier_checkpoint=empty).consistent_with == 0
    assert list(_log(tmp_path).entries(start=5)) == []


def test_proofs_convince_a_holder_of_checkpoints_only(folder: Path) -> None:
    log = _log(folder)
    with State.open(_url(folder)).reading() as connection:
        leaves = connection.scalars(select(audit_entries.c.leaf).order_by(audit_entries.c.entry_index)).all()
        notes = connection.scalars(select(checkpoints.c.note).order_by(checkpoints.c.size)).all()
    tip = log.key.verify(log.checkpoint())
    for index, leaf in enumerate(leaves):
        proof = log.inclusion_proof(index)
        verify_inclusion(hashed_leaf=leaf_hash(leaf), index=index, size=tip.size, proof=proof, root=tip.root)
        earlier = log.key.verify(notes[index])
        verify_consistency(
            earlier_size=earlier.size,
            earlier_root=earlier.root,
            size=tip.size,
            root=tip.root,
            proof=log.consistency_proof(earlier.size),
        )


def _change_leaf(connection: Connection) -> None:
    leaf = connection.scalar(select(audit_entries.c.leaf).where(audit_entries.c.entry_index == 4))
    changed = leaf.replace(b"allowed", b"refused")
    connection.execute(update(audit_entries).where(audit_entries.c.entry_index == 4).values(leaf=changed))


def _change_leaf_and_hash(connection: Connection) -> None:
    _change_leaf(connection)
    leaf = connection.scalar(select(audit_entries.c.leaf).where(audit_entries.c.entry_index == 4))
    values = {"leaf_hash": leaf_hash(leaf)}
    connection.execute(update(audit_entries).where(audit_entries.c.entry_index == 4).values(values))


def _change_leaf_and_rebuild_without_the_key(connection: Connection) -> None:
    _change_leaf_and_hash(connection)
    tree = Frontier.of(
        connection.scalars(select(audit_entries.c.leaf_hash).order_by(audit_entries.c.entry_index)).all()
    )
    connection.execute(update(audit_tree).values(frontier=tree.encode()))
    note = sign_checkpoint(Checkpoint("test/log", tree.size, tree.root()), SeededSigner(seed=9))
    connection.execute(update(checkpoints).where(checkpoints.c.size == tree.size).values(note=note))


def _swap(connection: Connection) -> None:
    for index, place in ((3, 900), (4, 3), (900, 4)):
        connection.execute(update(audit_entries).where(audit_entries.c.entry_index == index).values(entry_index=place))


def _delete(*indices: int) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(delete(audit_entries).where(audit_entries.c.entry_index.in_(indices)))


def _delete_and_close_the_gap(connection: Connection) -> None:
    _delete(4)(connection)
    for index in range(5, ENTRIES):
        connection.execute(
            update(audit_entries).where(audit_entries.c.entry_index == index).values(entry_index=index - 1)
        )


def _set(column: str, value: object, index: int = 4) -> Callable[[Connection], object]:
    changed = update(audit_entries).where(audit_entries.c.entry_index == index).values({column: value})
    return lambda connection: connection.execute(changed)


def _move_checkpoint(connection: Connection) -> None:
    note = connection.scalar(select(checkpoints.c.note).where(checkpoints.c.size == 6))
    connection.execute(update(checkpoints).where(checkpoints.c.size == 5).values(note=note))


def _add_unsigned(connection: Connection) -> None:
    row = connection.execute(select(audit_entries).where(audit_entries.c.entry_index == 0)).one()
    connection.execute(insert(audit_entries).values({**row._mapping, "entry_index": ENTRIES}))


TAMPERED: dict[str, tuple[Callable[[Connection], object], int | None]] = {
    "leaf changed": (_change_leaf, 4),
    "leaf and its hash changed": (_change_leaf_and_hash, 4),
    "leaf changed, tree rebuilt, checkpoint signed by another key": (_change_leaf_and_rebuild_without_the_key, None),
    "leaf hash changed": (_set("leaf_hash", b"\0" * 32), 4),
    "leaf replaced by other bytes": (_set("leaf", b"not JSON"), 4),
    "entry deleted": (_delete(4), 4),
    "last entry deleted": (_delete(ENTRIES - 1), ENTRIES - 1),
    "all entries deleted": (_delete(*range(ENTRIES)), None),
    "entry deleted and the gap closed": (_delete_and_close_the_gap, ENTRIES - 1),
    "two entries swapped": (_swap, 3),
    "entry added without a signature": (_add_unsigned, ENTRIES),
    "actor changed": (_set("actor", "ravi"), 4),
    "reason changed": (_set("reason", "none"), 4),
    "actor of the first entry changed": (_set("actor", "ravi", index=0), 0),
    "checkpoint replaced by a later one": (_move_checkpoint, 4),
    "checkpoint deleted": (
        lambda connection: connection.execute(delete(checkpoints).where(checkpoints.c.size == 5)),
        4,
    ),
    "checkpoint changed": (
        lambda connection: connection.execute(update(checkpoints).where(checkpoints.c.size == 5).values(note="x")),
        4,
    ),
    "newest checkpoint deleted": (
        lambda connection: connection.execute(delete(checkpoints).where(checkpoints.c.size == ENTRIES)),
        None,
    ),
    "newest checkpoint changed": (
        lambda connection: connection.execute(
            update(checkpoints).where(checkpoints.c.size == ENTRIES).values(note="x")
        ),
        None,
    ),
    "tree's size changed": (lambda connection: connection.execute(update(audit_tree).values(size=7)), None),
    "tree deleted": (lambda connection: connection.execute(delete(audit_tree)), None),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_log_is_refused_and_the_entry_named(name: str, folder: Path) -> None:
    change, entry_index = TAMPERED[name]
    _tamper(folder, change)
    with pytest.raises(AuditLogTampered) as caught:
        _log(folder).verify()
    assert caught.value.entry_index == entry_index
    assert "ravi" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["tree's size changed", "tree deleted", "newest checkpoint deleted", "last entry deleted", "all entries deleted"],
)
def test_nothing_is_appended_to_a_tree_that_is_not_the_signed_one(name: str, folder: Path) -> None:
    _tamper(folder, TAMPERED[name][0])
    log = _log(folder)
    with pytest.raises(AuditLogTampered):
        log.record(EVENT)
    with pytest.raises(AuditLogTampered):
        log.checkpoint()


def test_an_entry_that_is_gone_does_not_go_unnoticed_by_a_reader(folder: Path) -> None:
    _tamper(folder, _delete(4))
    entries = _log(folder).entries()
    assert [next(entries).entry_index for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(AuditLogTampered):
        next(entries)


def test_a_reader_is_not_given_an_entry_in_anothers_place(folder: Path) -> None:
    _tamper(folder, _swap)
    with pytest.raises(AuditLogTampered) as caught:
        list(_log(folder).entries())
    assert caught.value.entry_index == 3


def _in_pages(log: AuditLog, limit: int, start: int = 0) -> list[int]:
    seen, found = log.frontier(start), []
    while True:
        page, seen = log.signed_page(after=seen, limit=limit)
        if not page:
            return found
        found += [entry.entry_index for entry in page]


@pytest.mark.parametrize("start", [0, 1, 7, ENTRIES])
@pytest.mark.parametrize("limit", [1, 4, ENTRIES, 100])
def test_a_log_is_read_in_signed_pages_from_anywhere(folder: Path, limit: int, start: int) -> None:
    assert _in_pages(_log(folder), limit, start) == list(range(start, ENTRIES))


def test_a_page_read_beside_a_writer_ends_where_the_log_does(folder: Path) -> None:
    log = _log(folder)
    page, seen = log.signed_page(after=log.frontier(0), limit=100)
    log.record(EVENT)
    following, _ = log.signed_page(after=seen, limit=100)
    assert [len(page), len(following)] == [ENTRIES, 1]


@pytest.mark.parametrize("name", [name for name in TAMPERED if not name.startswith("checkpoint")])
def test_of_a_tampered_log_no_page_is_read_whole(name: str, folder: Path) -> None:
    _tamper(folder, TAMPERED[name][0])
    with pytest.raises(AuditLogTampered):
        _in_pages(_log(folder), 4)


def test_a_log_that_does_not_extend_what_was_seen_is_refused(folder: Path) -> None:
    log = _log(folder)
    other = Frontier.of([leaf_hash(b"another")] * 3)
    with pytest.raises(AuditLogTampered, match="not those that were signed"):
        log.signed_page(after=other, limit=4)


def test_a_rolled_back_log_is_told_by_a_checkpoint_kept_elsewhere(folder: Path, tmp_path: Path) -> None:
    log = _log(folder)
    shutil.copy(folder / "state.db", folder / "backup.db")
    log.record(EVENT)
    kept = log.checkpoint()
    shutil.copy(folder / "backup.db", folder / "state.db")
    again = _log(folder)
    assert again.verify().size == ENTRIES
    with pytest.raises(AuditLogTampered) as caught:
        again.verify(earlier_checkpoint=kept)
    assert caught.value.entry_index == ENTRIES
    again.record(replace(EVENT, actor="ravi"))
    with pytest.raises(AuditLogTampered) as caught:
        again.verify(earlier_checkpoint=kept)
    assert caught.value.entry_index == ENTRIES


def test_a_log_begun_anew_is_told_by_a_checkpoint_kept_elsewhere(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = _log(folder).checkpoint()
    with pytest.raises(AuditLogTampered):
        _log(tmp_path_factory.mktemp("new")).verify(earlier_checkpoint=kept)


def test_an_earlier_checkpoint_of_another_key_is_refused(folder: Path) -> None:
    forged = sign_checkpoint(Checkpoint("test/log", 1, b"\0" * 32), SeededSigner(seed=9))
    with pytest.raises(CheckpointRefused):
        _log(folder).verify(earlier_checkpoint=forged)


def test_a_person_is_forgotten_and_the_log_still_verifies(folder: Path) -> None:
    _tamper(folder, _set("actor", None))
    _tamper(folder, _set("reason", None, index=5))
    log = _log(folder)
    assert log.verify().erased == 2
    assert [entry.actor for entry in log.entries(start=4, stop=6)] == [None, "asha"]


def test_without_the_commitment_secret_the_tree_still_verifies(folder: Path) -> None:
    state, key = State.open(_url(folder)), _log(folder).key
    assert verify_log(state, key, commitment_secret=None, earlier_checkpoint=None).size == ENTRIES
    with pytest.raises(AuditLogTampered):
        verify_log(state, key, commitment_secret=b"t" * 32, earlier_checkpoint=None)


def test_an_entry_is_kept_exactly_when_the_callers_change_is(tmp_path: Path) -> None:
    log, state = _log(tmp_path), State.open(_url(tmp_path))

    def charge(project: str, *, crash: bool) -> int:
        with state.transaction() as connection:
            index = log.append(connection, EVENT)
            connection.execute(insert(budget_limits).values(project=project, epsilon_nano=1, delta="0"))
            if crash:
                raise RuntimeError
        return index

    assert charge("p", crash=False) == 0
    with pytest.raises(RuntimeError):
        charge("q", crash=True)
    assert log.verify().size == 1
    assert charge("q", crash=False) == 1
    with state.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(budget_limits)) == 2


def test_an_unavailable_log_appends_nothing_and_says_so(folder: Path) -> None:
    log = _log(folder)
    _tamper(
        folder,
        lambda connection: connection.execute(
            text("create trigger stop before insert on checkpoints begin select raise(abort, 'asha'); end")
        ),
    )
    with pytest.raises(StateError) as caught:
        log.record(EVENT)
    assert "asha" not in str(caught.value)
    assert log.verify().size == ENTRIES


def test_a_short_commitment_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="32"):
        _log(tmp_path, secret=b"short")


def test_an_event_that_cannot_be_encoded_leaves_no_trace(folder: Path) -> None:
    log = _log(folder)
    with pytest.raises(AuditError):
        log.record(replace(EVENT, actor="\ud800"))
    assert log.verify().size == ENTRIES


def _record_many(folder: Path, barrier: "threading.Barrier", actor: str) -> None:
    log = _log(folder)
    barrier.wait()
    for number in range(15):
        log.record(replace(EVENT, actor=actor, details={"rows": number}))


def test_two_processes_appending_at_once_keep_one_tree(tmp_path: Path) -> None:
    State.open(_url(tmp_path))
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    processes = [context.Process(target=_record_many, args=(tmp_path, barrier, actor)) for actor in ("asha", "ravi")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    log = _log(tmp_path)
    assert [process.exitcode for process in processes] == [0, 0]
    assert log.verify().size == 30
    for actor in ("asha", "ravi"):
        assert [entry.details["rows"] for entry in log.entries() if entry.actor == actor] == list(range(15))
