"""Dates as people and programs write them.

Belongs here: the accepted forms and their order. Must stay out: other types (parse).

Read, in this order: year first ("1990-03-25", "1990/3/25", "19900325"), then day first ("25/03/1990", "25-03-1990",
"25.03.1990", "25-Mar-1990", "25 March 1990"). "04/05/1990" is 4 May. Only where day first gives no date is month first
tried ("12/31/1990"). A time of day after the date is ignored. Years of two digits are not read: they would be guessed.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_TIME = r"(?:[T ]+[0-9]{1,2}:[0-9]{2}.*)?$"
_YEAR_FIRST = rf"(?s)^(?P<a>[0-9]{{4}})[-/.](?P<b>[0-9]{{1,2}})[-/.](?P<c>[0-9]{{1,2}}){_TIME}"
_COMPACT = rf"(?s)^(?P<a>[12][0-9]{{3}})(?P<b>[01][0-9])(?P<c>[0-3][0-9]){_TIME}"
_DAY_FIRST = rf"(?s)^(?P<a>[0-9]{{1,2}})[-/. ](?P<b>[0-9]{{1,2}})[-/. ](?P<c>[0-9]{{4}}){_TIME}"
_NAMED_MONTH = rf"(?is)^(?P<a>[0-9]{{1,2}})[-/. ]*(?P<b>[a-z]{{3,9}})[-/., ]*(?P<c>[0-9]{{4}}){_TIME}"
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_Integers = npt.NDArray[np.int64]


def dates_from_text(texts: pa.Array) -> pa.Array:
    """The strings as dates; null where they are none."""
    result = pa.nulls(len(texts), pa.date32())
    for pattern in (_YEAR_FIRST, _COMPACT, _DAY_FIRST, _NAMED_MONTH):
        if result.null_count == texts.null_count:
            break
        found = pc.extract_regex(texts, pattern)
        if found.null_count < len(found):
            result = pc.coalesce(result, _read(found, pattern))
    return result


def _read(found: pa.Array, pattern: str) -> pa.Array:
    first, second, third = (pc.struct_field(found, name) for name in "abc")
    if pattern == _NAMED_MONTH:
        return _dates(_numbers(third), _month_numbers(second), _numbers(first))
    a, b, c = _numbers(first), _numbers(second), _numbers(third)
    if pattern == _DAY_FIRST:
        return pc.coalesce(_dates(c, b, a), _dates(c, a, b))
    return _dates(a, b, c)


def _numbers(digits: pa.Array) -> _Integers:
    # Zero is neither a day, a month nor a year, so it can stand for "no match".
    numbers: _Integers = pc.fill_null(digits.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return numbers


def _month_numbers(names: pa.Array) -> _Integers:
    spellings = {name[:length]: number for number, name in enumerate(_MONTHS, 1) for length in (3, len(name))}
    spellings["sept"] = 9
    index = pc.index_in(pc.utf8_lower(names), value_set=pa.array(list(spellings)))
    numbers = np.array([0, *spellings.values()], dtype=np.int64)
    picked: _Integers = numbers[pc.fill_null(index, -1).to_numpy(zero_copy_only=False) + 1]
    return picked


def _dates(years: _Integers, months: _Integers, days: _Integers) -> pa.Array:
    """Dates of the proleptic Gregorian calendar; null where the three numbers make none."""
    possible = (years >= 1) & (months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)
    counted = np.where(possible, (years - 1970) * 12 + (months - 1), 0).astype("datetime64[M]")
    dates = counted.astype("datetime64[D]") + np.where(possible, days - 1, 0)
    exists = possible & (dates.astype("datetime64[M]") == counted)
    return pa.array(dates, type=pa.date32(), mask=~exists)
