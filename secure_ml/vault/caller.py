"""Who is at the other end of the kernel's interface, as the channel has established it.

Belongs here: that fact, for the request that is being answered. Must stay out: what it entitles to (admission).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """The process that asks.

    Attributes:
        login: its operating-system user, by the kernel's own look: never by the caller's word.
        session: the connection; a run's ticket serves the one that showed it first.
    """

    login: str
    session: str


_caller: ContextVar[Caller] = ContextVar("secure_ml_caller")


@contextmanager
def answering(caller: Caller) -> Iterator[None]:
    """Requests inside this block come from this caller."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


def current_caller() -> Caller:
    """The caller of the request that is being answered."""
    return _caller.get()
