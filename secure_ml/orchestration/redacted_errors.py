"""Dagster's own masking of errors, and what is told in their place.

Belongs here: the logger to which Dagster gives the errors that it masks. Must stay out: what is told of an error
(guard).

With `DAGSTER_REDACT_USER_CODE_ERRORS` Dagster stores and answers an error's id only, and logs the error itself, text
and all, under that id (`dagster._utils.error.redact_user_stacktrace_if_enabled`): on a terminal or in a service's
journal. Here the log gets the id with the error's class and place.
"""

import logging
import os
import sys

import dagster as dg
from dagster._utils import error as dagster_errors

from secure_ml.guard.errors import trace
from secure_ml.guard.process import mask_errors


def replace_error_logger() -> None:
    """Switches Dagster's masking on, and takes the texts out of the logger of masked errors. Once is enough."""
    mask_errors(os.environ)
    # Dagster reads the name at its import, when the environment may still have said another.
    logger = logging.getLogger(dagster_errors._REDACTED_ERROR_LOGGER_NAME)
    if _without_text not in logger.filters:
        logger.addFilter(_without_text)


def _without_text(record: logging.LogRecord) -> bool:
    """Leaves the error's class and place; a failure that a stage described itself is told by its description."""
    error = record.exc_info[1] if record.exc_info else sys.exception()
    if isinstance(error, dg.Failure):
        return False
    record.exc_info = None
    if error is not None:
        record.exc_text = trace(error)
    return True
