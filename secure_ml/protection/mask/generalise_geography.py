"""generalise_geography: the leading characters of a postal code, which name a region."""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.treatments import GeneraliseGeography as GeneraliseGeographyPolicy
from secure_ml.protection.mask.treatment import ColumnReader, ColumnTreatment, Treated, count_unknown
from secure_ml.protection.parse import folded_text

_LONGEST_CODE = 10


@dataclass(frozen=True)
class GeneraliseGeography(ColumnTreatment):
    """Gives a few characters; a cell that is no longer code becomes null and is counted."""

    reader: ColumnReader
    spec: GeneraliseGeographyPolicy
    output_type: ClassVar[pa.DataType] = pa.string()
    beside: ClassVar[tuple[str, ...]] = ()

    def apply(self, column: pa.Array) -> Treated:
        """See the class."""
        texts = self.reader.text(column)
        codes = pc.utf8_upper(pc.replace_substring_regex(folded_text(texts), r"[ -]+", ""))
        # A word or a remark in this column must not lose its end only, nor a short code nothing.
        is_code = pc.match_substring_regex(codes, rf"^[0-9A-Z]{{{self.spec.keep_first + 1},{_LONGEST_CODE}}}$")
        has_digit = pc.match_substring_regex(codes, r"[0-9]")
        known = pc.and_(self.reader.known(texts), pc.fill_null(pc.and_(is_code, has_digit), False))
        values = pc.if_else(known, pc.utf8_slice_codeunits(codes, 0, self.spec.keep_first), None)
        return Treated(values, count_unknown(texts, known))


def is_generalised_geography(values: pa.Array, spec: GeneraliseGeographyPolicy) -> pa.Array:
    """Which cells this treatment can have made; null where null."""
    return pc.match_substring_regex(values, rf"^[0-9A-Z]{{{spec.keep_first}}}$")
