"""The partitions that an unpartitioned stage reads: all up to one, without a hole.

Belongs here: which partitions go in. Must stay out: opening them (the door does).
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from secure_ml.access.stages import ONE_PIECE, Stage
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.errors import ChecksNotPassed, NothingThere, StaleVersion

if TYPE_CHECKING:
    from secure_ml.vault.door import Door


class PartitionHole(Exception):
    """A partition that is missing or not checked, where every one up to the last is needed."""


class Pieces(Mapping[str, Dataset]):
    """The partitions of a stage, each opened when it is asked for, in time order."""

    def __init__(self, door: "Door", stage: Stage, keys: tuple[str, ...], *, by: Stage) -> None:
        self._door, self._stage, self._keys, self._by = door, stage, keys, by

    def __getitem__(self, key: str) -> Dataset:
        return self._door.open(self._stage, key, by=self._by)

    def __contains__(self, key: object) -> bool:
        # Mapping's own would open the partition to find out.
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def pieces_through(pieces: Pieces | Dataset, through: str | None, *, allow_holes: bool) -> dict[str, Dataset]:
    """The datasets of every partition up to `through`, by period.

    Args:
        pieces: the partitions, or the one dataset of a table of one piece.
        through: the last partition; the latest that can be opened by default.
        allow_holes: whether a partition before the last may be missing or unchecked.

    Raises:
        PartitionHole: nothing can be opened, there is no such partition, or there is a hole.
    """
    if isinstance(pieces, Dataset):
        return {ONE_PIECE: pieces}
    if through is not None and through not in pieces:
        raise PartitionHole(f"there is no partition {through}; choose one of those that the policy declares")
    opened: dict[str, Dataset] = {}
    holes: dict[str, str] = {}
    for key in pieces:
        try:
            opened[key] = pieces[key]
        except (NothingThere, ChecksNotPassed, StaleVersion) as error:
            holes[key] = str(error)
        if key == through:
            break
    last = through if through is not None else max(opened, default=None, key=list(pieces).index)
    if last is None or last not in opened:
        first = next(iter(holes.values()), "the policy declares no partition")
        raise PartitionHole(f"no partition can be split yet: {first}")
    before = [key for key in holes if list(pieces).index(key) < list(pieces).index(last)]
    if before and not allow_holes:
        raise PartitionHole(f"before {last}, the partitions {', '.join(before)} cannot be used: {holes[before[0]]}")
    return opened
