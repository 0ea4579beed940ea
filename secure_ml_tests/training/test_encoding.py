import itertools

import numpy as np
import pyarrow as pa
import pytest

from secure_ml.training.encoding import Encoding, FeatureEncoding
from secure_ml.training.errors import TrainingError
from secure_ml_tests.training.people import dataset, people, policy

BINS = FeatureEncoding("x", (0.0, 10.0), None)
WORDS = FeatureEncoding("c", None, ("a", "b"))


@pytest.mark.parametrize(
    ("cell", "level"),
    [(-1.0, "below 0"), (0.0, "0 to 10"), (9.99, "0 to 10"), (10.0, "10 and more"), (1e300, "10 and more"),
     (float("inf"), "10 and more"), (float("-inf"), "below 0"), (float("nan"), "missing"), (None, "missing")],
)  # fmt: skip
def test_a_number_falls_into_its_declared_interval(cell: float | None, level: str) -> None:
    assert BINS.levels[int(BINS.encode(pa.array([cell], pa.float64()))[0])] == level


@pytest.mark.parametrize(("cell", "level"), [("a", "a"), ("b", "b"), ("z", "other"), ("", "other"), (None, "missing")])
def test_a_text_falls_into_its_category_or_other_or_missing(cell: str | None, level: str) -> None:
    assert WORDS.levels[int(WORDS.encode(pa.array([cell], pa.string()))[0])] == level


@pytest.mark.parametrize(("cells", "words"), [([1, 2, None], ("1", "2")), ([True, False, None], ("true", "false"))])
def test_numbers_and_truth_values_can_be_categories(cells: list[object], words: tuple[str, ...]) -> None:
    feature = FeatureEncoding("c", None, words)
    assert feature.encode(pa.array(cells)).tolist() == [0, 1, 3]


def test_every_row_has_one_code_a_feature_so_its_norm_is_a_constant() -> None:
    encoding = Encoding.of(policy().features)
    codes = encoding.encode(next(dataset(people(500)).scan()))
    assert codes.shape == (2, 500)
    assert encoding.row_norm_squared == 3
    bounds = [*encoding.offsets, encoding.width]
    for row, (low, high) in zip(codes, itertools.pairwise(bounds), strict=True):
        assert low <= row.min() <= row.max() < high


def test_codes_do_not_depend_on_the_other_rows() -> None:
    batch = next(dataset(people(200)).scan())
    encoding = Encoding.of(policy().features)
    alone = [encoding.encode(batch.slice(i, 1)) for i in range(batch.num_rows)]
    np.testing.assert_array_equal(np.hstack(alone), encoding.encode(batch))


def test_the_encoding_survives_json() -> None:
    encoding = Encoding.of(policy().features)
    assert Encoding.from_json(encoding.to_json()) == encoding


def test_bins_for_a_text_column_are_refused_without_a_cell_in_the_message() -> None:
    with pytest.raises(TrainingError, match="has bins but holds string") as caught:
        BINS.encode(pa.array(["secret-cell"]))
    assert "secret-cell" not in str(caught.value)


def test_a_missing_feature_is_named() -> None:
    batch = next(dataset(people(3)).scan(["income"]))
    with pytest.raises(TrainingError, match="color"):
        Encoding.of(policy().features).encode(batch)
