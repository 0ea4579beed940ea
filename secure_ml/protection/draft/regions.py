"""Where a person lives, made coarser: which treatments fit the form of a postal code or a coordinate.

Belongs here: forms and their regions, as docs/treatments.md lists them. Must stay out: values.
"""

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnType

Fields = dict[str, str | float]

_OF_ONE_FORM = 0.9
_BRITISH = r"^[A-Za-z]{1,2}[0-9][A-Za-z0-9]? ?[0-9][A-Za-z]{2}$"
_PREFIXES = (3, 2, 1)
_DECIMALS = (1, 0)


def region_ladder(cells: pa.Array, *, coordinates: bool) -> tuple[Fields, ...]:
    """Treatments from the least to the most general.

    Args:
        cells: the sample's cells, as text, or as degrees.
        coordinates: whether they are coordinates, not postal codes.
    """
    if coordinates:
        return tuple(_geography(decimals=number) for number in _DECIMALS)
    if pa.types.is_string(cells.type) and _share(cells, _BRITISH) >= _OF_ONE_FORM:
        # Its first letter alone is no region: M is Manchester, W a part of London.
        return (_geography(drop_last=3),)
    return tuple(_geography(keep_first=number) for number in _PREFIXES)


def coordinate_type(column: pa.Array, numbers: pa.Array) -> ColumnType:
    """Number for degrees, string for a pair of them.

    Args:
        column: the cells as text, missing ones null.
        numbers: the same as numbers, null where they are none.
    """
    present = len(column) - column.null_count
    degrees = present and (len(numbers) - numbers.null_count) >= _OF_ONE_FORM * present
    return ColumnType.NUMBER if degrees else ColumnType.STRING


def _geography(**fields: float) -> Fields:
    return {"kind": "generalise_geography", **fields}


def _share(cells: pa.Array, pattern: str) -> float:
    present = cells.drop_null()
    if not len(present):
        return 0.0
    matches = pc.match_substring_regex(pc.utf8_trim_whitespace(present), pattern)
    return float(pc.mean(matches.cast(pa.float64())).as_py())
