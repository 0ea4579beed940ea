"""What a test needs of the system. Where it is not there the test is skipped; in continuous integration it fails."""

import os
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Ends the test: something that it needs is not here.

    Args:
        reason: what, and how to get it.
    """
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def need(there: object, reason: str) -> None:
    """Ends the test unless what it needs is here; see `missing`."""
    if not there:
        missing(reason)
