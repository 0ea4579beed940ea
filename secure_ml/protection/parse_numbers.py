"""Numbers as people and programs write them.

Belongs here: the accepted forms. Must stay out: other types (parse).

Read: a sign, a currency ("₹52000", "Rs. 500"), groups of thousands or lakhs ("45,000", "1,23,456.50"), "/-" at the end,
and the exponents that programs write. Not read: decimal commas, units, words, infinities; they would be guessed.
"""

import pyarrow as pa
import pyarrow.compute as pc

_CURRENCY = r"(?:₹|\$|€|£|(?:rs|inr|usd|eur|gbp)\.?)"
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}|[0-9]+)"
_SIGNED = rf"(?is)^(?P<outer>[+-]?) *(?:{_CURRENCY})? *(?P<inner>[+-]?)"
_SUFFIX = r" *(?:/-)?$"
_INTEGER = rf"{_SIGNED}0*(?P<body>{_DIGITS})(?:\.0*)?{_SUFFIX}"
_NUMBER = rf"{_SIGNED}(?P<body>(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]{{1,3}})?){_SUFFIX}"
_SAFE_INTEGER_DIGITS = 18


def integers_from_text(texts: pa.Array) -> pa.Array:
    """The strings as 64-bit integers; null where they are none, or longer than eighteen digits."""
    digits = _signed(texts, _INTEGER)
    fits = pc.less_equal(pc.utf8_length(pc.utf8_ltrim(digits, "-")), _SAFE_INTEGER_DIGITS)
    return pc.if_else(fits, digits, None).cast(pa.int64())


def numbers_from_text(texts: pa.Array) -> pa.Array:
    """The strings as finite floats; null where they are none."""
    # Adding zero makes "-0" the zero that it is.
    return pc.add(finite(_signed(texts, _NUMBER).cast(pa.float64())), 0.0)


def finite(values: pa.Array) -> pa.Array:
    """The floats with null in place of infinities and NaN."""
    return pc.if_else(pc.is_finite(values), values, None)


def _signed(texts: pa.Array, pattern: str) -> pa.Array:
    found = pc.extract_regex(texts, pattern)
    outer, inner = pc.struct_field(found, "outer"), pc.struct_field(found, "inner")
    twice = pc.and_(pc.not_equal(outer, ""), pc.not_equal(inner, ""))
    sign = pc.replace_substring(pc.binary_join_element_wise(outer, inner, ""), "+", "")
    body = pc.replace_substring(pc.struct_field(found, "body"), ",", "")
    return pc.if_else(twice, None, pc.binary_join_element_wise(sign, body, ""))
