"""generalise_geography: the part of a postal code that names a region, the region, or a coordinate with few decimals.

A coordinate is a number of degrees, or the text "latitude, longitude". Decimals tell how near: a degree of latitude is
111 km, and so is one of longitude at the equator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.columns import ColumnType
from secure_ml.policy.treatments import GeneraliseGeography as GeneraliseGeographyPolicy
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated, count_unknown
from secure_ml.protection.parse import folded_text

_LONGEST_CODE, _LONGEST_REGION = 10, 4
_LATITUDE, _LONGITUDE = 90.0, 180.0
_DEGREES = r"[+-]?[0-9]{1,3}(?:\.[0-9]{1,15})?"
_PAIR = rf"^\(?\s*(?P<latitude>{_DEGREES})°?\s*[,; ]\s*(?P<longitude>{_DEGREES})°?\s*\)?$"


@dataclass(frozen=True)
class GeneraliseGeography(ColumnTreatment):
    """Gives a few characters or decimals; what is no longer code, or no coordinate, becomes null and is counted."""

    reader: ColumnReader
    spec: GeneraliseGeographyPolicy
    beside: ClassVar[tuple[str, ...]] = ()

    @property
    def output_type(self) -> pa.DataType:
        """Number for a coordinate that is declared a number, string for all else."""
        number = self.spec.decimals is not None and self.reader.policy.type is ColumnType.NUMBER
        return pa.float64() if number else pa.string()

    def apply(self, column: pa.Array) -> Treated:
        """See the class."""
        if self.spec.decimals is None:
            return self._region(column)
        if self.output_type == pa.string():
            return self._pairs(column, self.spec.decimals)
        parsed = self.reader.parsed(column)
        values = _rounded(parsed.values, self.spec.decimals, limit=_LONGITUDE)
        return Treated(values, parsed.unparsed + values.null_count - parsed.values.null_count)

    def _region(self, column: pa.Array) -> Treated:
        texts = self.reader.text(column)
        codes = pc.utf8_upper(pc.replace_substring_regex(folded_text(texts), r"[ -]+", ""))
        # A word or a remark in this column must not lose its end only, nor a short code nothing.
        kept, cut = self._kept, self.spec.drop_last
        shortest, longest = (kept + 1, _LONGEST_CODE) if kept else (1 + (cut or 0), _LONGEST_REGION + (cut or 0))
        is_code = pc.match_substring_regex(codes, rf"^[0-9A-Z]{{{shortest},{longest}}}$")
        has_digit = pc.match_substring_regex(codes, r"[0-9]")
        known = pc.and_(self.reader.known(texts), pc.fill_null(pc.and_(is_code, has_digit), False))
        region = pc.utf8_slice_codeunits(codes, 0, kept or -(cut or 0))
        if self.spec.regions is not None:
            region = _named_region(region, self.spec.regions)
            known = pc.and_(known, pc.is_valid(region))
        return Treated(pc.if_else(known, region, None), count_unknown(texts, known))

    @property
    def _kept(self) -> int | None:
        """Leading characters that are looked at."""
        if self.spec.regions is None:
            return self.spec.keep_first
        return max(len(start) for starts in self.spec.regions.values() for start in starts)

    def _pairs(self, column: pa.Array, decimals: int) -> Treated:
        texts = self.reader.text(column)
        parts = pc.extract_regex(folded_text(texts), _PAIR)
        degrees = [
            _rounded(pc.struct_field(parts, name).cast(pa.float64()), decimals, limit=limit)
            for name, limit in (("latitude", _LATITUDE), ("longitude", _LONGITUDE))
        ]
        values = pc.binary_join_element_wise(*(_written(number, decimals) for number in degrees), ", ")
        return Treated(values, count_unknown(texts, pc.is_valid(values)))


def is_generalised_geography(values: pa.Array, spec: GeneraliseGeographyPolicy) -> pa.Array:
    """Which cells this treatment can have made; null where null."""
    if spec.regions is not None:
        return pc.if_else(pc.is_valid(values), pc.is_in(values, value_set=pa.array(sorted(spec.regions))), None)
    if spec.decimals is None:
        length = spec.keep_first or f"1,{_LONGEST_REGION}"
        return pc.match_substring_regex(values, rf"^[0-9A-Z]{{{length}}}$")
    if pa.types.is_floating(values.type):
        same = pc.fill_null(pc.equal(_rounded(values, spec.decimals, limit=_LONGITUDE), values), False)
        return pc.if_else(pc.is_valid(values), same, None)
    number = rf"-?[0-9]{{1,3}}{rf'[.][0-9]{{{spec.decimals}}}' if spec.decimals else ''}"
    return pc.match_substring_regex(values, rf"^{number}, {number}$")


def _named_region(codes: pa.Array, regions: Mapping[str, tuple[str, ...]]) -> pa.Array:
    """The region of the longest first characters that fit; null where none do."""
    region_of = {start: name for name, starts in regions.items() for start in starts}
    found = pa.nulls(len(codes), pa.string())
    for length in sorted({len(start) for start in region_of}, reverse=True):
        starts = pa.array([start for start in region_of if len(start) == length])
        names = pa.array([region_of[start] for start in starts.to_pylist()])
        place = pc.index_in(pc.utf8_slice_codeunits(codes, 0, length), value_set=starts)
        found = pc.coalesce(found, names.take(place))
    return found


def _rounded(degrees: pa.Array, decimals: int, *, limit: float) -> pa.Array:
    """To the nearest, half to even; null beyond the limit. The only zero is +0."""
    numbers: npt.NDArray[np.float64] = degrees.to_numpy(zero_copy_only=False).astype(np.float64)
    inside = np.abs(numbers) <= limit
    return pa.array(np.round(np.where(inside, numbers, 0.0), decimals) + 0.0, pa.float64(), mask=~inside)


def _written(degrees: pa.Array, decimals: int) -> pa.Array:
    return degrees.cast(pa.decimal128(10, decimals)).cast(pa.string())
