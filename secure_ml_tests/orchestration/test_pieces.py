from collections.abc import Callable, Mapping

import pyarrow as pa
import pytest

from secure_ml.access.stages import ONE_PIECE, Stage
from secure_ml.orchestration.pieces import PartitionHole, Pieces, pieces_through
from secure_ml.vault.dataset import Dataset, from_batches
from secure_ml.vault.errors import ChecksNotPassed, NothingThere, StaleVersion

KEYS = ("2024-01", "2024-02", "2024-03", "2024-04")


def dataset() -> Dataset:
    return from_batches([], schema=pa.schema([]), labels={}, origins=())


class Vault:
    """A door on partitions that are there or refused."""

    def __init__(self, refused: Mapping[str, Exception]) -> None:
        self._refused = refused
        self.opened: list[str] = []

    def open(self, stage: Stage, partition: str, *, by: Stage) -> Dataset:
        assert (stage, by) == (Stage.MASKED, Stage.SPLIT)
        self.opened.append(partition)
        if partition in self._refused:
            raise self._refused[partition]
        return dataset()


def pieces(**refused: Exception) -> tuple[Pieces, Vault]:
    vault = Vault({name.removeprefix("m").replace("_", "-"): error for name, error in refused.items()})
    return Pieces(vault, Stage.MASKED, KEYS, by=Stage.SPLIT), vault


def test_all_partitions_go_in_by_default() -> None:
    found, _ = pieces()

    assert tuple(pieces_through(found, None, allow_holes=False)) == KEYS


def test_nothing_behind_the_last_one_is_opened() -> None:
    found, vault = pieces()

    assert tuple(pieces_through(found, "2024-02", allow_holes=False)) == KEYS[:2]
    assert vault.opened == list(KEYS[:2])


@pytest.mark.parametrize("refusal", [NothingThere, ChecksNotPassed, StaleVersion])
def test_the_latest_that_can_be_opened_is_the_last(refusal: Callable[[str], Exception]) -> None:
    found, _ = pieces(m2024_04=refusal("not yet"))

    assert tuple(pieces_through(found, None, allow_holes=False)) == KEYS[:3]


def test_a_hole_before_the_last_is_refused_with_its_reason() -> None:
    found, _ = pieces(m2024_02=ChecksNotPassed("2024-02 failed its blocking checks"))

    with pytest.raises(PartitionHole, match=r"before 2024-04, the partitions 2024-02 .*failed its blocking checks"):
        pieces_through(found, None, allow_holes=False)


def test_a_policy_may_allow_holes() -> None:
    found, _ = pieces(m2024_02=NothingThere("nothing"))

    assert tuple(pieces_through(found, None, allow_holes=True)) == ("2024-01", "2024-03", "2024-04")


def test_a_last_partition_that_cannot_be_opened_is_refused_even_where_holes_are_allowed() -> None:
    found, _ = pieces(m2024_03=NothingThere("there is no version of 2024-03"))

    with pytest.raises(PartitionHole, match="there is no version of 2024-03"):
        pieces_through(found, "2024-03", allow_holes=True)


def test_a_partition_that_the_policy_does_not_declare_is_refused() -> None:
    found, vault = pieces()

    with pytest.raises(PartitionHole, match="there is no partition 2025-01"):
        pieces_through(found, "2025-01", allow_holes=True)
    assert vault.opened == []


def test_an_error_that_is_no_refusal_passes() -> None:
    found, _ = pieces(m2024_01=OSError("disk"))

    with pytest.raises(OSError, match="disk"):
        pieces_through(found, None, allow_holes=True)


def test_a_table_of_one_piece_is_one_period() -> None:
    whole = dataset()

    assert pieces_through(whole, None, allow_holes=False) == {ONE_PIECE: whole}
