"""The picture of what points to one person has figures of many rows only."""

from secure_ml.assessment.figures.canvas import MAXIMUM_BYTES
from secure_ml.assessment.figures.singled_out import singled_out_picture
from secure_ml.policy.gates import DisclosureControl
from secure_ml.protection.classify.finding import Combination

CONTROL = DisclosureControl(minimum_cell=30, minimum_positives=10)
ROWS = 200


def combination(share: float, *columns: str) -> Combination:
    return Combination(columns=columns, share=share, low=share, high=share, classes=9)


def pictured(*shares: float) -> bytes:
    return singled_out_picture([(combination(share, "born", "town"), ROWS) for share in shares], CONTROL)


def test_each_combination_is_named_with_its_share(written: list[str]) -> None:
    picture = pictured(0.77, 0.3)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) <= MAXIMUM_BYTES
    assert {"born + town", "77 % of rows", "30 % of rows"} <= set(written)


def test_a_share_of_few_rows_or_of_all_but_few_is_not_drawn(written: list[str]) -> None:
    assert pictured(1 / ROWS, 1 - 1 / ROWS) == pictured(9 / ROWS, 1 - 9 / ROWS)
    assert {"some rows", "nearly all rows"} <= set(written)
    assert not [text for text in written if text.endswith("% of rows")]
    assert pictured(0.3) != pictured(0.4)
