"""partial_mask: a few letters or digits stay readable, the rest is `*`, so that a person recognises a record."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.treatments import PartialMask as PartialMaskPolicy
from secure_ml.protection.mask.treatment import REDACTED, ColumnReader, ColumnTreatment, Treated, count_unknown

_READABLE = r"[\pL\pN]"
_SEPARATORS = r" .,:/@_()+\-"
_ALL_BUT_SEPARATORS = rf"[^{_SEPARATORS}]"
_NEITHER = rf"[^{_SEPARATORS}\pL\pN]"

_STARRED = np.full(256, ord("*"), np.uint8)
for _byte in b" .,:/@_()+-":
    _STARRED[_byte] = _byte
_CHUNK = 2**15


@dataclass(frozen=True)
class PartialMask(ColumnTreatment):
    """Masks all but the first and last few letters or digits; separators stand.

    A value is masked whole when it is not what the policy declares (it may be anything) or when less than half of it
    would be hidden; a value without a letter or digit is redacted.
    """

    reader: ColumnReader
    spec: PartialMaskPolicy
    output_type: ClassVar[pa.DataType] = pa.string()
    beside: ClassVar[tuple[str, ...]] = ()

    def apply(self, column: pa.Array) -> Treated:
        """See the class."""
        texts = self.reader.text(column)
        known = self.reader.known(texts)
        plain = pc.string_is_ascii(texts)
        if pc.all(plain, min_count=0).as_py():
            made = masked_bytes(texts, known, self.spec)
        else:
            other = pc.fill_null(pc.invert(plain), False)
            made = masked_bytes(texts, known, self.spec)
            made = pc.replace_with_mask(made, other, masked_text(texts.filter(other), known.filter(other), self.spec))
        return Treated(made, count_unknown(texts, known))


def masked_bytes(texts: pa.Array, known: pa.Array, spec: PartialMaskPolicy) -> pa.Array:
    """The texts masked, byte by byte: right for those that are ASCII, and for no other; null stays null.

    Args:
        texts: a column.
        known: which of them are what the policy declares.
        spec: how many letters and digits stay readable.
    """
    large = texts.cast(pa.large_string())
    _, offsets, data = large.buffers()
    bounds = np.frombuffer(offsets, np.int64)[large.offset : large.offset + len(large) + 1] if len(large) else [0]
    begin, end = int(bounds[0]), int(bounds[-1])
    given = np.frombuffer(data, np.uint8)[begin:end] if data is not None else np.empty(0, np.uint8)
    bounds = np.asarray(bounds) - begin
    made, empty = np.empty_like(given), np.empty(len(texts), np.bool_)
    partly = known.to_numpy(zero_copy_only=False)
    for first in range(0, len(texts), _CHUNK):
        rows = slice(first, first + _CHUNK)
        own = bounds[first : first + _CHUNK + 1]
        span = slice(int(own[0]), int(own[-1]))
        empty[rows] = _mask(given[span], own - own[0], partly[rows], spec, made[span])
    result = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(bounds), pa.py_buffer(made)).cast(pa.string())
    if empty.any():
        result = pc.if_else(pa.array(empty), REDACTED, result)
    return pc.if_else(texts.is_valid(), result, None) if texts.null_count else result


def _mask(
    given: npt.NDArray[np.uint8],
    bounds: npt.NDArray[np.int64],
    partly: npt.NDArray[np.bool_],
    spec: PartialMaskPolicy,
    made: npt.NDArray[np.uint8],
) -> npt.NDArray[np.bool_]:
    """Writes the masked bytes of some texts; returns which of them have no letter or digit."""
    np.take(_STARRED, given, out=made)
    is_readable = (given - np.uint8(ord("0")) < 10) | ((given | np.uint8(0x20)) - np.uint8(ord("a")) < 26)
    readable = np.flatnonzero(is_readable)
    ranks = np.concatenate([[0], np.cumsum(is_readable, dtype=np.int32)])[bounds]
    counts = np.diff(ranks)
    if kept := spec.keep_first + spec.keep_last:
        rows = np.flatnonzero(partly & (counts >= 2 * kept))
        firsts, lasts = ranks[rows], ranks[rows + 1]
        for place in [*(firsts + i for i in range(spec.keep_first)), *(lasts - 1 - i for i in range(spec.keep_last))]:
            shown = readable[place]
            made[shown] = given[shown]
    empty: npt.NDArray[np.bool_] = counts == 0
    return empty


def masked_text(texts: pa.Array, known: pa.Array, spec: PartialMaskPolicy) -> pa.Array:
    """What `masked_bytes` makes, of texts of any characters, by regular expressions."""
    length = pc.count_substring_regex(texts, _READABLE)
    whole = pc.if_else(pc.equal(length, 0), REDACTED, _starred(texts))
    kept = spec.keep_first + spec.keep_last
    if not kept:
        return whole
    partly = pc.and_(known, pc.greater_equal(length, 2 * kept))
    return pc.if_else(partly, _partly(texts, spec), whole)


def _partly(texts: pa.Array, spec: PartialMaskPolicy) -> pa.Array:
    head = rf"(?:[^\pL\pN]*{_READABLE}){{{spec.keep_first}}}"
    tail = rf"(?:{_READABLE}[^\pL\pN]*){{{spec.keep_last}}}"
    parts = pc.extract_regex(texts, rf"(?s)^(?P<head>{head})(?P<middle>.*?)(?P<tail>{tail})$")
    ends = [pc.replace_substring_regex(pc.struct_field(parts, name), _NEITHER, "*") for name in ("head", "tail")]
    return pc.binary_join_element_wise(ends[0], _starred(pc.struct_field(parts, "middle")), ends[1], "")


def is_masked(values: pa.Array, spec: PartialMaskPolicy) -> pa.Array:
    """Which cells this treatment can have made; null where null."""
    few = pc.less_equal(pc.count_substring_regex(values, _READABLE), spec.keep_first + spec.keep_last)
    clean = pc.invert(pc.match_substring_regex(pc.replace_substring(values, "*", ""), _NEITHER))
    starred = pc.match_substring(values, "*")
    return pc.or_(pc.equal(values, REDACTED), pc.and_(pc.and_(few, clean), starred))


def _starred(texts: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(texts, _ALL_BUT_SEPARATORS, "*")
