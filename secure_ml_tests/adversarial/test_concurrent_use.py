import contextlib
from concurrent.futures import ThreadPoolExecutor

from secure_ml.access.stages import Stage
from secure_ml.vault.errors import HeadMoved
from secure_ml_tests.fakes.masked_table import masked_table
from secure_ml_tests.fakes.small_project import SmallProject

COLUMNS = ["member_id", "income", "diagnosis", "approved"]


def test_fifty_readers_of_one_version_agree(checked_project: SmallProject) -> None:
    door = checked_project.door()
    expected = door.open(Stage.RAW, "", by=Stage.MASKED).read(COLUMNS)

    def read(number: int) -> bool:
        return door.open(Stage.RAW, "", by=Stage.MASKED).read(COLUMNS).equals(expected)

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(read, range(50)))
    checked_project.installation.log.verify()


def test_readers_are_never_refused_because_somebody_commits_meanwhile(checked_project: SmallProject) -> None:
    door = checked_project.door()
    origins = checked_project.parents(Stage.MASKED, door=door)
    door.write(Stage.MASKED, "", masked_table(1, origins=origins))

    def write(number: int) -> None:
        with contextlib.suppress(HeadMoved):
            door.write(Stage.MASKED, "", masked_table(1 + number, origins=origins))

    def read(number: int) -> int:
        # Another process has an index of the log of its own.
        other = checked_project.reopened() if number % 4 == 0 else checked_project
        manifest, dataset = other.door(f"reader-{number}").assess(Stage.MASKED, "")
        return manifest.rows - dataset.read(["income"]).num_rows

    with ThreadPoolExecutor(8) as pool:
        writes = [pool.submit(write, number) for number in range(8)]
        reads = [pool.submit(read, number) for number in range(16)]
        assert [future.result() for future in reads] == [0] * 16
        for future in writes:
            future.result()
    checked_project.installation.log.verify()
