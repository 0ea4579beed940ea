import numpy as np
import pytest

from secure_ml.assessment.errors import AssessmentError
from secure_ml.assessment.scored import Scored

PERIOD = np.array(["a", "a"])
LABEL = np.array([True, False])


@pytest.mark.parametrize("score", [[0.5, 1.5], [0.5, np.nan], [-0.1, 0.5], [np.inf, 0.5]])
def test_a_score_that_is_no_probability_is_refused_without_its_value(score: list[float]) -> None:
    with pytest.raises(AssessmentError, match=r"^1 scores are not probabilities") as refused:
        Scored(LABEL, np.array(score), None, PERIOD, {})
    assert "1.5" not in str(refused.value)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(AssessmentError, match="one entry for each row"):
        Scored(LABEL, np.array([0.5]), None, PERIOD, {})
    with pytest.raises(AssessmentError, match="one entry for each row"):
        Scored(LABEL, np.array([0.5, 0.5]), None, PERIOD, {"colour": np.array(["red"])})


def test_no_row_is_refused() -> None:
    with pytest.raises(AssessmentError, match="no row"):
        Scored(np.array([], dtype=bool), np.array([]), None, np.array([], dtype="U1"), {})


def test_a_label_that_is_not_boolean_is_refused() -> None:
    with pytest.raises(AssessmentError, match="booleans"):
        Scored(np.array([1, 0]), np.array([0.5, 0.5]), None, PERIOD, {})


def test_its_text_holds_no_cell() -> None:
    people = Scored(LABEL, np.array([0.25, 0.5]), np.array(["tok-1", "tok-2"], object), PERIOD, {})
    assert repr(people) == str(people) == "Scored(2 rows)"


def test_rows_of_a_subject_share_a_code_and_rows_without_token_do_not() -> None:
    tokens = np.array(["t", None, "t", None], dtype=object)
    people = Scored(np.array([True] * 4), np.full(4, 0.5), tokens, np.full(4, "a"), {})
    codes = people.subject_codes
    assert codes[0] == codes[2]
    assert len(set(codes.tolist())) == 3


def test_tokens_of_mixed_types_are_refused_without_their_value() -> None:
    people = Scored(LABEL, np.array([0.5, 0.5]), np.array(["canary", 7], dtype=object), PERIOD, {})
    with pytest.raises(AssessmentError, match="one type") as refused:
        _ = people.subject_codes
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
