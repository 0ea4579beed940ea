"""Descriptions of errors."""

from collections.abc import Iterator

import pytest

from secure_ml.guard.errors import describe
from secure_ml.guard.redaction import Redactor
from secure_ml.policy.load import PolicyError
from secure_ml.vault.dataset import DatasetError


def _raised(action: object, *arguments: object) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any error is described
        action(*arguments)
    return caught.value


def test_our_own_error_keeps_its_text_redacted_and_on_one_line() -> None:
    error = PolicyError("defs.yaml:3: owners: give a team\ndefs.yaml:9: contact meera.kulkarni@example.in")
    assert describe(error) == "PolicyError: defs.yaml:3: owners: give a team defs.yaml:9: contact [email]"


def test_an_error_of_ours_without_text_is_its_name() -> None:
    assert describe(DatasetError()) == "DatasetError"


def test_a_foreign_error_loses_its_text_and_keeps_its_place_in_our_code() -> None:
    class Cells(tuple[str, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[str]:
            raise ValueError("Meera Kulkarni")

    described = describe(_raised(lambda: Redactor(keep=Cells())))
    assert described.startswith("ValueError at secure_ml/guard/redaction.py:")
    assert "Meera" not in described


def test_a_foreign_error_outside_our_code_is_only_its_class() -> None:
    assert describe(_raised(int, "Meera Kulkarni")) == "ValueError"


def test_a_class_that_only_sounds_like_ours_is_foreign() -> None:
    foreign = type("VaultError", (Exception,), {"__module__": "secure_ml_elsewhere"})
    assert describe(foreign("Meera Kulkarni")) == "VaultError"
