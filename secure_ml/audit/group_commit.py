"""Group commit: threads that come while a transaction is on its way to the disk share the next one.

Belongs here: who commits for whom. Must stay out: what is committed.

A durable commit waits for the disk, and one wait is as good for many. It is the technique of DeWitt et al.,
"Implementation Techniques for Main Memory Database Systems" (SIGMOD 1984), section 5.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Gives each caller its result once its item is durable; in the order in which they came.

    Args:
        commit: makes these items durable, all or none, and gives a result for each. What it raises, each of the callers
            gets: so no item may be at fault by itself.
    """

    def __init__(self, commit: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._commit = commit
        self._waiting: list[tuple[Item, Future[Result]]] = []
        self._committing = False
        self._turn = threading.Condition()

    def add(self, item: Item) -> Result:
        """Returns the item's result once it is durable.

        Raises:
            TimeoutError: the thread that committed for this one was killed; whether the item is durable is unknown.
            Exception: whatever `commit` raised; nothing of the item is kept.
        """
        mine: Future[Result] = Future()
        with self._turn:
            self._waiting.append((item, mine))
            self._turn.wait_for(lambda: mine.done() or not self._committing)
            batch = [] if mine.done() else self._waiting
            if batch:
                self._committing, self._waiting = True, []
        if batch:
            try:
                self._settle(batch)
            finally:
                with self._turn:
                    self._committing = False
                    self._turn.notify_all()
        return mine.result(timeout=0)

    def _settle(self, batch: Sequence[tuple[Item, Future[Result]]]) -> None:
        try:
            results = self._commit([item for item, _ in batch])
        except BaseException as error:
            for _, waiting in batch:
                waiting.set_exception(error)
            raise
        for (_, waiting), result in zip(batch, results, strict=True):
            waiting.set_result(result)
