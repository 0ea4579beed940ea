"""An invented policy and table with known faults, for the tests of quality."""

from collections.abc import Sequence
from typing import Any

from secure_ml.policy.project import Policy
from secure_ml.protection.quality import QualityReport, inspect_quality
from secure_ml_tests.protection.mask.tables import COLUMNS, policy, raw

Row = dict[str, str | None]

_NAMES = ("customer", "email", "born", "income", "score", "agreed", "approved")

ROWS: tuple[Row, ...] = tuple(
    dict(zip(_NAMES, cells, strict=True))
    for cells in (
        ("C-1", "a@mail.example", "1990-03-25", "₹1,23,456.50", "710", "Y", "approved"),
        ("C-2", "b@mail.example", "25/03/1990", "45,000", "300", "Y", "refused"),
        ("C-3", None, "unknown", "unknown", "299", "N", "approved"),
        ("C-4", " NA ", "", "-5", "901.0", "n", "refused"),
        ("C-5", "no address", "1-Jan-2001", "", " 900 ", "Y", " approved "),
        (" ", "e@mail.example", None, "1e3", "7x", None, ""),
    )
)


def declared(
    *expectations: dict[str, Any], parses_mostly: float = 0.1, minimum_rows: int = 1, **changes: Any
) -> Policy:
    quality = {"parses_mostly": parses_mostly, "minimum_rows": minimum_rows, "expectations": expectations}
    return policy({name: COLUMNS[name] for name in _NAMES}, quality=quality, **changes)


def inspected(
    *expectations: dict[str, Any], rows: Sequence[Row] = ROWS, batch_size: int = 100, **changes: Any
) -> QualityReport:
    against = declared(*expectations, **changes)
    return inspect_quality(raw(rows, against, batch_size=batch_size), against)
