"""Descriptions of errors."""

from collections.abc import Iterator

import pytest

from secure_ml.guard.errors import describe, trace
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


def test_an_error_of_a_projects_folder_is_foreign() -> None:
    own = type("CarelessError", (Exception,), {"__module__": "secure_ml.defs.loans.definitions"})
    assert describe(own("Meera Kulkarni")) == "CarelessError"


def fail_for_a_reason() -> None:
    try:
        raise DatasetError("the batch has another schema")
    except DatasetError as error:
        raise ValueError("Meera Kulkarni") from error


def test_a_trace_tells_every_cause_with_its_place_and_our_own_words() -> None:
    told = trace(_raised(fail_for_a_reason))
    first, second = told.split("\ncaused by\n")
    assert first.splitlines()[-1] == "ValueError"
    assert second.splitlines()[-1] == "DatasetError: the batch has another schema"
    assert "in fail_for_a_reason" in first
    assert "Meera" not in told


def test_a_trace_without_end_ends() -> None:
    first, second = ValueError("Meera"), KeyError("Meera")
    first.__cause__, second.__cause__ = second, first
    assert trace(first) == "ValueError\ncaused by\nKeyError"


def test_a_trace_tells_the_members_of_a_group() -> None:
    group = ExceptionGroup("Meera", [ValueError("Meera"), ExceptionGroup("Meera", [KeyError("Meera")])])
    told = trace(group)
    assert "Meera" not in told
    assert set(told.split("\ncaused by\n")) == {"ExceptionGroup", "ValueError", "KeyError"}


def test_a_trace_is_short_however_deep_the_error() -> None:
    def deep(depth: int) -> None:
        if not depth:
            raise ValueError("Meera")
        deep(depth - 1)

    assert len(trace(_raised(deep, 100)).splitlines()) < 20
