"""Which versions a run has opened for a stage, and of which it got keys.

Belongs here: that memory, as long as the kernel lives. Must stay out: what follows from it.
"""

from collections import defaultdict
from typing import NamedTuple

from secure_ml.access.stages import Stage
from secure_ml.access.tickets import Ticket


class _Reader(NamedTuple):
    """Whose memory it is: a run's id is its own only within one environment and project."""

    environment: str
    project: str
    run_id: str
    by: Stage
    assess: bool


class OpenedVersions:
    """What each run has opened, by the stage that reads, and whether it is that stage's checks that read."""

    def __init__(self) -> None:
        self._opened: dict[_Reader, set[str]] = defaultdict(set)
        self._read: dict[_Reader, set[str]] = defaultdict(set)

    def open(self, ticket: Ticket, by: Stage, version_id: str, *, assess: bool) -> None:
        """Notes that a run has opened a version."""
        self._opened[_reader(ticket, by, assess)].add(version_id)

    def read(self, ticket: Ticket, by: Stage, version_id: str, *, assess: bool) -> None:
        """Notes that a run got keys of a version."""
        self._read[_reader(ticket, by, assess)].add(version_id)

    def forget(self, run_id: str) -> None:
        """Forgets a run whose process has ended."""
        for memory in (self._opened, self._read):
            for reader in [reader for reader in tuple(memory) if reader.run_id == run_id]:
                memory.pop(reader, None)

    def opened_by(self, ticket: Ticket, by: Stage, *, assess: bool = False) -> frozenset[str]:
        """The versions that a run has opened for a stage, or for the checks of it."""
        return frozenset(self._opened.get(_reader(ticket, by, assess), ()))

    def read_by(self, ticket: Ticket, by: Stage) -> frozenset[str]:
        """The versions whose rows a run can have used for what it writes as a stage."""
        return frozenset(self._read.get(_reader(ticket, by, False), ()))


def _reader(ticket: Ticket, by: Stage, assess: bool) -> _Reader:
    return _Reader(ticket.environment, ticket.project, ticket.run_id, by, assess)
