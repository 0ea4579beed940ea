import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from secure_ml.audit.group_commit import GroupCommit
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.state.database import State, StateError
from secure_ml_tests.audit.signers import SeededSigner

EVENT = AuditEvent("dataset.read", "training/loans/raw", "allowed", "asha", "run-1")


class Disk:
    """Commits one batch at a time, when it is let; numbers the items as they become durable."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.ready, self.begun = threading.Semaphore(0), threading.Semaphore(0)
        self.fault: BaseException | None = None
        self.told: int | None = None

    def commit(self, items: Sequence[int]) -> list[int]:
        self.begun.release()
        assert self.ready.acquire(timeout=30)
        if self.fault is not None:
            raise self.fault
        self.batches.append(list(items))
        before = sum(map(len, self.batches[:-1]))
        return [before + number for number in range(len(items))][: self.told]

    def begin_then_queue(self, pool: ThreadPoolExecutor, group: GroupCommit[int, int], count: int) -> list[Future[int]]:
        """One caller that commits, and while it does, others that have come after it."""
        futures = [pool.submit(group.add, 0)]
        assert self.begun.acquire(timeout=30)
        for number in range(1, count):
            futures.append(pool.submit(group.add, number))
            while len(group._waiting) < number:
                time.sleep(0.001)
        return futures


def test_who_comes_during_a_commit_shares_the_next_one_in_order() -> None:
    disk = Disk()
    group = GroupCommit(disk.commit)
    with ThreadPoolExecutor(8) as pool:
        futures = disk.begin_then_queue(pool, group, 8)
        assert not any(future.done() for future in futures)
        disk.ready.release()
        assert futures[0].result(timeout=30) == 0
        assert disk.begun.acquire(timeout=30)
        assert not any(future.done() for future in futures[1:])
        disk.ready.release()
        assert [future.result(timeout=30) for future in futures] == list(range(8))
    assert disk.batches == [[0], [1, 2, 3, 4, 5, 6, 7]]


def test_a_failed_commit_is_told_to_each_that_waited_for_it_and_the_next_one_works() -> None:
    disk = Disk()
    group = GroupCommit(disk.commit)
    with ThreadPoolExecutor(4) as pool:
        futures = disk.begin_then_queue(pool, group, 4)
        disk.ready.release()
        assert futures[0].result(timeout=30) == 0
        assert disk.begun.acquire(timeout=30)
        disk.fault = StateError("the disk is full")
        disk.ready.release()
        for future in futures[1:]:
            with pytest.raises(StateError, match="full"):
                future.result(timeout=30)
        disk.fault = None
        disk.ready.release()
        assert group.add(9) == 1
    assert disk.batches == [[0], [9]]


def test_nobody_waits_for_ever_where_a_commit_was_cut_off_while_it_told_its_results() -> None:
    disk = Disk()
    group = GroupCommit(disk.commit)
    with ThreadPoolExecutor(3) as pool:
        futures = disk.begin_then_queue(pool, group, 3)
        disk.told = 1
        disk.ready.release()
        disk.ready.release()
        assert futures[0].result(timeout=30) == 0
        assert sum(future.exception(timeout=30) is not None for future in futures[1:]) in {1, 2}


def log_in(folder: Path) -> tuple[AuditLog, State]:
    state = State.open(f"sqlite:///{folder / 'state.db'}")
    log = AuditLog(
        state,
        SeededSigner(seed=1),
        origin="test/log",
        commitment_secret=b"s" * 32,
        clock=lambda: datetime(2024, 1, 2, tzinfo=UTC),
    )
    return log, state


def test_entries_of_many_threads_share_transactions_and_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, state = log_in(tmp_path)
    transactions = 0
    original = state.transaction

    @contextmanager
    def counted() -> Iterator[Connection]:
        nonlocal transactions
        transactions += 1
        with original() as connection:
            yield connection
            time.sleep(0.01)

    monkeypatch.setattr(state, "transaction", counted)

    def record(thread: int) -> list[int]:
        return [
            log.record(AuditEvent("dataset.read", f"thread-{thread}", "done", "asha", "", {"number": number}))
            for number in range(10)
        ]

    with ThreadPoolExecutor(8) as pool:
        indices = list(pool.map(record, range(8)))
    assert sorted(index for thread in indices for index in thread) == list(range(80))
    assert transactions < 60
    assert log.verify().size == 80
    for thread, mine in enumerate(indices):
        assert mine == sorted(mine)
        entries = [entry for entry in log.entries() if entry.resource == f"thread-{thread}"]
        assert [(e.entry_index, e.details["number"]) for e in entries] == list(zip(mine, range(10), strict=True))


def test_an_entry_is_committed_when_its_index_is_told(tmp_path: Path) -> None:
    log, _ = log_in(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        for index in pool.map(lambda _: log.record(EVENT), range(40)):
            other, _ = log_in(tmp_path)
            assert other.size() > index


def test_a_thread_with_a_transaction_open_is_refused_and_holds_up_nobody(tmp_path: Path) -> None:
    log, state = log_in(tmp_path)
    with state.transaction() as connection:
        log.append(connection, EVENT)
        with pytest.raises(StateError, match="pass its connection on"):
            log.record(EVENT)
    assert log.record(EVENT) == 1
