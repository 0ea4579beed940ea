from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from secure_ml.protection.classify.classifier import Classifier
from secure_ml.protection.classify.detectors.india import aadhaar
from secure_ml_tests.protection.classify.people import aadhaar as aadhaar_number
from secure_ml_tests.protection.classify.people import column_of

NUMBERS = [*column_of(aadhaar_number, 30), "234123412345", "234123412347"]


def test_a_check_over_an_array_is_asked_instead_of_the_loop() -> None:
    asked: list[int] = []

    def check_all(values: pa.Array) -> npt.NDArray[np.bool_]:
        asked.append(len(values))
        return np.fromiter(map(aadhaar.has_valid_check_digit, values.to_pylist()), dtype=np.bool_)

    def refuse(value: str) -> bool:
        raise AssertionError("one value at a time")

    detector = replace(aadhaar.DETECTOR, check=refuse, check_all=check_all)
    classifier = Classifier([detector])
    classifier.update(pa.record_batch({"x": [*NUMBERS, "none", None]}))
    (finding,) = classifier.findings()

    assert asked == [32]
    assert (finding.pattern_matches, finding.examined, finding.validated) == (32, 32, 30)


def test_without_one_every_value_is_checked_by_itself() -> None:
    detector = replace(aadhaar.DETECTOR, check_all=None)

    assert detector.validate_all(pa.array(NUMBERS)).tolist() == [True] * 30 + [False] * 2
    assert detector.validate_all(pa.array([], pa.large_string())).tolist() == []
