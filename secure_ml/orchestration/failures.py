"""The boundary where errors become Dagster failures: typed, redacted, never retried.

Belongs here: that translation. Must stay out: deciding what is an error.

Dagster stores an exception's text and prints its trace; both may quote a cell (`could not convert string to float: …`).
`Failure` with `from None` keeps the original out of the event log, the step's stderr and the UI.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from secure_ml.guard.errors import describe


@contextmanager
def safe_failures() -> Iterator[None]:
    """Turns any error of the block into a `dg.Failure` that holds no value of a person and is not retried."""
    try:
        yield
    except dg.Failure:
        raise
    except Exception as error:  # noqa: BLE001 - the one place where every error is replaced, and none is swallowed
        raise dg.Failure(description=describe(error), allow_retries=False) from None
