"""Dagster's masked errors: the log gets where they came from, whatever the environment says."""

import io
import logging
import os
from collections.abc import Callable, Iterator

import dagster as dg
import pytest
from dagster._core.errors import DagsterUserCodeExecutionError, user_code_error_boundary
from dagster._utils import error as dagster_errors

from secure_ml.orchestration.redacted_errors import _without_text, replace_error_logger

NAME = "Zorblax Quillfeather"


@pytest.fixture(params=[logging.LogRecord, None], ids=["plain records", "the process's records"])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a handler of Dagster's logger of masked errors writes; the logger alone must do, too."""
    monkeypatch.setenv("DAGSTER_REDACT_USER_CODE_ERRORS", "0")
    replace_error_logger()
    factory, target = logging.getLogRecordFactory(), io.StringIO()
    logger, handler = logging.getLogger(dagster_errors._REDACTED_ERROR_LOGGER_NAME), logging.StreamHandler(target)
    logger.addHandler(handler)
    if request.param is not None:
        logging.setLogRecordFactory(request.param)
    yield target
    logging.setLogRecordFactory(factory)
    logger.removeHandler(handler)


def masked(action: Callable[[], None]) -> DagsterUserCodeExecutionError:
    boundary = user_code_error_boundary(DagsterUserCodeExecutionError, lambda: "in a step")
    with pytest.raises(DagsterUserCodeExecutionError) as caught, boundary:
        action()
    return caught.value


def raising() -> None:
    try:
        raise KeyError(NAME)
    except KeyError as error:
        raise ValueError(NAME) from error


def test_an_error_is_told_by_its_id_its_places_and_its_causes(told: io.StringIO) -> None:
    error = masked(raising)

    assert os.environ["DAGSTER_REDACT_USER_CODE_ERRORS"] == "1"
    error_id = str(error).split("error ID ")[1].split(".")[0]
    assert error_id in told.getvalue()
    assert "in raising\nValueError" in told.getvalue()
    assert "KeyError" in told.getvalue()
    assert NAME not in told.getvalue() + str(error)


def test_a_failure_that_describes_itself_is_not_told_twice(told: io.StringIO) -> None:
    with pytest.raises(dg.Failure), dagster_errors.redact_user_stacktrace_if_enabled():
        raise dg.Failure("VaultError: the part is short")
    assert told.getvalue() == ""


def test_the_logger_is_replaced_once() -> None:
    replace_error_logger()
    replace_error_logger()
    logger = logging.getLogger(dagster_errors._REDACTED_ERROR_LOGGER_NAME)
    assert logger.filters.count(_without_text) == 1
