"""Which versions a run has opened for a stage, and of which it got keys.

Belongs here: that memory, as long as the kernel lives. Must stay out: what follows from it.
"""

from dataclasses import dataclass, field

from secure_ml.access.stages import Stage


@dataclass
class OpenedVersions:
    """What each run has opened, by run, stage that reads, and whether it is that stage's checks that read."""

    _opened: dict[tuple[str, Stage, bool], set[str]] = field(default_factory=dict)
    _read: dict[tuple[str, Stage, bool], set[str]] = field(default_factory=dict)

    def open(self, run_id: str, by: Stage, version_id: str, *, assess: bool) -> None:
        """Notes that a run has opened a version."""
        self._opened.setdefault((run_id, by, assess), set()).add(version_id)

    def read(self, run_id: str, by: Stage, version_id: str, *, assess: bool) -> None:
        """Notes that a run got keys of a version."""
        self._read.setdefault((run_id, by, assess), set()).add(version_id)

    def forget(self, run_id: str) -> None:
        """Forgets a run whose process has ended."""
        for memory in (self._opened, self._read):
            for key in [key for key in tuple(memory) if key[0] == run_id]:
                memory.pop(key, None)

    def opened_by(self, run_id: str, by: Stage, *, assess: bool = False) -> frozenset[str]:
        """The versions that a run has opened for a stage, or for the checks of it."""
        return frozenset(self._opened.get((run_id, by, assess), ()))

    def read_by(self, run_id: str, by: Stage) -> frozenset[str]:
        """The versions whose rows a run can have used for what it writes as a stage."""
        return frozenset(self._read.get((run_id, by, False), ()))
