from dataclasses import replace

import pytest

from secure_ml.keys.context import KeyContext
from secure_ml.keys.errors import KeyServiceError
from secure_ml.policy.labels import Category

CONTEXT = KeyContext("training", "loans", "v-1", "data", 3, "financial")


def test_the_key_id_is_canonical_and_read_back() -> None:
    assert CONTEXT.key_id == "v1/training/loans/v-1/data/3/financial"
    assert KeyContext.parse(CONTEXT.key_id) == CONTEXT


def test_a_category_of_the_vocabulary_is_its_text() -> None:
    assert replace(CONTEXT, category=Category.FINANCIAL).key_id == CONTEXT.key_id


@pytest.mark.parametrize(
    "wrong",
    [
        {"project": "a/b"},
        {"project": ""},
        {"version_id": "../x"},
        {"section": ".."},
        {"environment": "a b"},
        {"category": "é"},
        {"bucket": -1},
        {"bucket": True},
        {"project": "x\n"},
    ],
)
def test_a_part_that_would_blur_the_key_id_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(KeyServiceError):
        replace(CONTEXT, **wrong)


@pytest.mark.parametrize(
    "key_id",
    [
        "",
        "v1/a/b/c/d/0",
        "v2/a/b/c/d/0/e",
        "v1/a/b/c/d/00/e",
        "v1/a/b/c/d/+1/e",
        "v1/a/b/c/d/0/e/f",
        "v1/a/b/c/d/0/e\n",
    ],
)
def test_a_key_id_that_is_not_canonical_is_refused(key_id: str) -> None:
    with pytest.raises(KeyServiceError):
        KeyContext.parse(key_id)
