import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.assessment.disclosure import Cells, count_cells, small, suppress, suppress_cross_table
from secure_ml.assessment.scored import Scored
from secure_ml_tests.assessment.people import CONTROL


def _cells(*outcomes: tuple[int, int]) -> Cells:
    negatives, positives = (np.array(column) for column in zip(*outcomes, strict=True))
    return Cells(negatives + positives, positives, negatives)


@pytest.mark.parametrize(
    ("outcomes", "primary", "complementary"),
    [
        pytest.param([(50, 50), (60, 60)], [0, 0], [0, 0], id="nothing small, nothing hidden"),
        pytest.param([(20, 10), (60, 60)], [0, 0], [0, 0], id="exactly the bounds are shown"),
        pytest.param([(9, 20), (60, 60), (80, 80)], [1, 0, 0], [0, 1, 0], id="one small: the next smallest goes too"),
        pytest.param([(80, 80), (2, 1), (40, 40)], [0, 1, 0], [0, 0, 1], id="order does not matter"),
        pytest.param([(12, 12), (13, 13), (80, 80)], [1, 1, 0], [0, 0, 0], id="two small protect each other"),
        pytest.param([(1, 1), (1, 1), (40, 40), (90, 90)], [1, 1, 0, 0], [0, 0, 1, 0], id="two tiny are not enough"),
        pytest.param([(300, 9), (60, 60), (80, 80)], [1, 0, 0], [0, 1, 0], id="few positives"),
        pytest.param([(9, 300), (60, 60), (80, 80)], [1, 0, 0], [0, 1, 0], id="few negatives"),
        pytest.param([(300, 4), (300, 3), (60, 60)], [1, 1, 0], [0, 0, 1], id="few positives even together"),
        pytest.param([(5, 5)], [1], [0], id="a single small cell"),
        pytest.param([(5, 5), (50, 50)], [1, 0], [0, 1], id="two cells, one small: all hidden"),
    ],
)
def test_suppression_table(outcomes: list[tuple[int, int]], primary: list[int], complementary: list[int]) -> None:
    suppression = suppress(_cells(*outcomes), control=CONTROL)
    assert suppression.primary.astype(int).tolist() == primary
    assert suppression.complementary.astype(int).tolist() == complementary


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 120)), min_size=1, max_size=8))
def test_what_is_hidden_is_never_one_cell_nor_small_together(outcomes: list[tuple[int, int]]) -> None:
    cells = _cells(*outcomes)
    hidden = suppress(cells, control=CONTROL).hidden
    assert not (small(cells, control=CONTROL) & ~hidden).any()
    if hidden.any() and not hidden.all():
        assert hidden.sum() >= 2
        together = _cells((int(cells.negatives[hidden].sum()), int(cells.positives[hidden].sum())))
        assert not small(together, control=CONTROL)[0]


def test_a_cell_counts_subjects_and_not_rows() -> None:
    label = np.array([True, True, False, True])
    people = Scored(label, np.full(4, 0.5), np.array(["a", "a", "a", "b"], object), np.full(4, "p"), {})
    cells = count_cells(people, np.array([0, 0, 0, 1]), cells=2)
    assert cells.subjects.tolist() == [1, 1]
    assert cells.positives.tolist() == [1, 1]
    assert cells.negatives.tolist() == [1, 0]


@pytest.mark.parametrize(("smallest", "hidden"), [(30, False), (29, True), (0, True)])
def test_a_cross_table_is_hidden_whole_when_one_cell_is_small(smallest: int, hidden: bool) -> None:
    cell = np.repeat([0, 1, 2, 3], [100, 100, 100, smallest])
    people = Scored(cell > 1, np.full(len(cell), 0.5), None, np.full(len(cell), "p"), {})
    assert suppress_cross_table(people, cell, cells=4, control=CONTROL) is hidden
