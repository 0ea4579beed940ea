"""Declarations of every treatment that there is, for tests of what holds for all."""

from collections.abc import Mapping, Sequence
from typing import Any

SPECS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "keep": [{}],
    "drop": [{}],
    "redact": [{}],
    "partial_mask": [{"keep_last": 2}],
    "token": [{}],
    "format_preserving": [{}],
    "deterministic_encryption": [{}],
    "generalise_number": [{"step": 7}],
    "generalise_date": [
        {"to": "year"},
        {"to": "quarter"},
        {"to": "month"},
        {"to": "week"},
        {"to": "age", "at": "2024-06-30"},
    ],
    "generalise_geography": [
        {"keep_first": 3},
        {"drop_last": 3},
        {"decimals": 1},
        {"regions": {"north": ["1", "56"]}},
    ],
    "generalise_category": [
        {"groups": {"few": ["1", "2"], "word": ["a", "é"]}},
        {"groups": {"a": ["b"]}, "otherwise": "c"},
    ],
    "top_bottom_code": [{"bottom": 2, "top": 1000}],
    "date_shift": [{"max_days": 30}],
    "surrogate": [
        {"provider": "person_name"},
        {"provider": "email", "by": "value"},
        {"provider": "phone"},
        {"provider": "place", "locale": "hi_IN"},
    ],
    "scrub_text": [{}],
}
"""At least one declaration of each kind, without the word itself."""

TYPES: Mapping[str, str] = {
    "generalise_number": "number",
    "generalise_date": "date",
    "top_bottom_code": "number",
    "date_shift": "date",
}
"""The column's type where it is not string."""
