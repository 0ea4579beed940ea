import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_ml.protection.classify import expressions

TEXTS = st.lists(st.text(alphabet="aAbkK\u212as\u017f1\u0661 -.,\n\u00e9\u0301", max_size=6), max_size=12)
EXPRESSIONS = (
    re.compile(r"a|ab|[a-k]+", re.IGNORECASE),
    re.compile(r"\bk\w*\b", re.IGNORECASE),
    re.compile(r".{0,2}", re.DOTALL),
    re.compile(r"^[as][ -]?[0-9]"),
    re.compile(r"\d+"),
)


@pytest.mark.parametrize("expression", EXPRESSIONS)
@settings(max_examples=60, deadline=None)
@given(texts=TEXTS)
def test_an_array_is_answered_as_each_of_its_texts(expression: re.Pattern[str], texts: list[str]) -> None:
    values = pa.array(texts, type=pa.large_string())
    assert expressions.whole(expression)(values).tolist() == [bool(expression.fullmatch(text)) for text in texts]
    assert expressions.within(expression)(values).tolist() == [bool(expression.search(text)) for text in texts]


def test_only_candidates_are_checked() -> None:
    asked: list[str] = []

    def check(value: str) -> bool:
        asked.append(value)
        return value == "b"

    values = pa.array(["a", "b", "c", "b"], type=pa.large_string())
    candidates = expressions.whole(re.compile("[bc]"))(values)
    assert expressions.passing(values, candidates, check).tolist() == [False, True, False, True]
    assert asked == ["b", "c", "b"]
    assert candidates.tolist() == [False, True, True, True]
