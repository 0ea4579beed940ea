from dataclasses import replace

import pytest

from secure_ml.keys.context import (
    INSTALLATION,
    KeyContext,
    environment_key_id,
    environment_of,
    parse_environment_key_id,
    secret_id,
)
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
        {"environment": INSTALLATION},
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


@pytest.mark.parametrize(
    ("scope", "environment"),
    [
        ("audit/commitments", INSTALLATION),
        ("signing-key/secure_ml", INSTALLATION),
        ("projects", INSTALLATION),
        ("project/test/loans", "test"),
        ("project/test/loans/more", "test"),
    ],
)
def test_a_secret_is_under_the_key_of_the_environment_that_it_names(scope: str, environment: str) -> None:
    assert environment_of(secret_id(scope)) == environment


@pytest.mark.parametrize(
    "scope",
    ["", "project/", "project/test", "project/test/", "project//loans", "project/a b/loans", "project/installation/x"],
)
def test_a_scope_that_names_no_environment_where_it_should_is_refused(scope: str) -> None:
    with pytest.raises(KeyServiceError):
        secret_id(scope)


def test_a_versions_key_is_under_the_key_of_its_environment() -> None:
    assert environment_of(CONTEXT.key_id) == "training"
    for key_id in ("v1/training", "environment-key/training/1", "training"):
        with pytest.raises(KeyServiceError):
            environment_of(key_id)


def test_the_id_of_an_environments_key_is_read_back() -> None:
    assert environment_key_id("training", 7) == "environment-key/training/7"
    assert parse_environment_key_id("environment-key/training/7") == ("training", 7)
    for other in (CONTEXT.key_id, "secret/a", "f" * 32, "environment-key/training/0", "environment-key/training/x"):
        assert parse_environment_key_id(other) is None
    for name, epoch in (("", 1), ("a/b", 1), ("training", 0)):
        with pytest.raises(KeyServiceError):
            environment_key_id(name, epoch)
