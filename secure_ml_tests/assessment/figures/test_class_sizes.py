"""The picture of class sizes shows shares of many people, and nothing of few."""

import pyarrow as pa

from secure_ml.assessment.figures.canvas import MAXIMUM_BYTES
from secure_ml.assessment.figures.class_sizes import class_sizes_picture
from secure_ml.policy.gates import DisclosureControl
from secure_ml.protection.anonymity.counting import ClassCounter, Classes

CONTROL = DisclosureControl(minimum_cell=30)


def classes(*sizes: int) -> Classes:
    """Classes of so many people."""
    counter = ClassCounter(["group"], sensitive=[], subject=None)
    rows = [{"group": f"g{number}"} for number, size in enumerate(sizes) for _ in range(size)]
    counter.add(pa.RecordBatch.from_pylist(rows, schema=pa.schema([("group", pa.string())])))
    return counter.classes()[0]


def test_ranges_of_few_people_are_suppressed_and_another_with_them(written: list[str]) -> None:
    picture = class_sizes_picture(classes(1, 1, 1, *[6] * 10, *[50] * 4), k=5, control=CONTROL)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) <= MAXIMUM_BYTES
    # Those three, and the sixty of the next range, by which they could be told.
    assert written.count("suppressed") == 2
    assert "1 to 4, below k" in written


def test_a_table_of_large_classes_hides_nothing(written: list[str]) -> None:
    class_sizes_picture(classes(*[6] * 10, *[50] * 4), k=5, control=CONTROL)
    assert "suppressed" not in written


def test_how_few_people_stand_alone_does_not_show_in_the_picture() -> None:
    one, three = (class_sizes_picture(classes(*[1] * few, *[50] * 4), k=5, control=CONTROL) for few in (1, 3))
    assert one == three


def test_an_empty_table_has_a_picture(written: list[str]) -> None:
    class_sizes_picture(classes(), k=2, control=CONTROL)
    assert "suppressed: too few people" in written
