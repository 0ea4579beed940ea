"""One way to write each value, so that the same thing written twice is the same thing.

Belongs here: canonical forms and shapes by entity. Must stay out: what is made of them (token, partial_mask).
"""

import re
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.labels import Entity
from secure_ml.protection.classify.cells import text_buffers
from secure_ml.protection.classify.pattern_detector import PatternDetector
from secure_ml.protection.parse import composed_text, folded_text

_DIGITS = {
    Entity.AADHAAR, Entity.AADHAAR_VIRTUAL_ID, Entity.ABHA_NUMBER, Entity.PHONE, Entity.ACCOUNT_NUMBER, Entity.CARD,
    Entity.PIN_CODE, Entity.SSN, Entity.ITIN, Entity.ROUTING_NUMBER, Entity.NPI, Entity.NHS_NUMBER,
}  # fmt: skip
_UPPER_CASE = {
    Entity.PAN, Entity.IFSC, Entity.GSTIN, Entity.IBAN, Entity.VEHICLE_NUMBER, Entity.PASSPORT, Entity.DRIVING_LICENCE,
    Entity.VOTER_ID, Entity.SWIFT_BIC, Entity.MAC_ADDRESS,
}  # fmt: skip
_LOWER_CASE = {Entity.EMAIL, Entity.IP_ADDRESS, Entity.UPI_ID, Entity.ABHA_NUMBER}
_SEPARATORS = {Entity.MAC_ADDRESS: r"[ .:-]+"}
_SHAPED = _DIGITS | _UPPER_CASE | _LOWER_CASE
_INDIAN_PREFIX = r"^(?:0{0,2}91|0)([6-9][0-9]{9})$"

_RUN = 64
"""Texts that are matched in one call; a call costs more than reading a short text."""


def canonical(texts: pa.Array, entity: Entity) -> pa.Array:
    """The canonical form of each string; null where it is null.

    Numbers are their digits, a telephone number without the prefix of its own country; codes are upper-case without
    spaces and dashes; addresses of machines, mail and payment are lower-case; all else is NFC. What is declared a
    number but has other characters than digits and separators keeps them: two broken values must not become one.

    Args:
        texts: what `parse.as_text` gave.
        entity: what the values are.
    """
    if entity in _DIGITS:
        return _digits(texts, entity)
    if entity in _UPPER_CASE:
        # All that is between a 0 and a Z is as it must be, but for the colons of addresses of machines.
        if entity is not Entity.MAC_ADDRESS and _lie_between(texts, "0", "Z"):
            return texts
        code = pc.utf8_upper(pc.replace_substring_regex(folded_text(texts), _SEPARATORS.get(entity, r"[ -]+"), ""))
        return pc.if_else(pc.equal(code, ""), texts, code)
    return _words(texts, entity)


def has_shape(texts: pa.Array, entity: Entity) -> pa.Array | None:
    """Whether each string has the entity's shape; None for an entity that has none, such as a name."""
    if entity not in _SHAPED:
        return None
    if texts.null_count:
        shaped = has_shape(texts.drop_null(), entity)
        return pc.replace_with_mask(pa.nulls(len(texts), pa.bool_()), texts.is_valid(), shaped)
    detector = _detectors()[entity]
    shaped = np.repeat(_runs_have_shape(texts, detector), _RUN)[: len(texts)]
    if not shaped.all():
        others = np.flatnonzero(~shaped)
        shaped[others] = detector.matches(folded_text(texts.take(pa.array(others)))).to_numpy(zero_copy_only=False)
    return pa.array(shaped)


def _runs_have_shape(texts: pa.Array, detector: PatternDetector) -> npt.NDArray[np.bool_]:
    """Of each run of texts, whether all have the shape as far as one expression sees that reads them line by line."""
    if detector.longest or not _lie_between(texts, "\x0b", "\x7f"):
        return np.zeros(-(-len(texts) // _RUN), np.bool_)
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    # A bound that no text reaches is left out, since those of hundreds take longer to compile than to match.
    pattern = re.sub(
        r"{(\d+),(\d+)}", lambda bound: f"{{{bound[1]},}}" if int(bound[2]) >= longest else bound[0], detector.pattern
    )
    runs = pa.ListArray.from_arrays(pa.array([*range(0, len(texts), _RUN), len(texts)], pa.int32()), texts)
    lines = pc.binary_join_element_wise(pc.binary_join(runs, "\n"), "", "\n")
    shaped = pc.match_substring_regex(lines, rf"(?is)^(?:(?:{pattern})\n)*$")
    seen: npt.NDArray[np.bool_] = shaped.to_numpy(zero_copy_only=False)
    return seen


def _digits(texts: pa.Array, entity: Entity) -> pa.Array:
    # Most columns are plain digits, and expressions cost a hundred times as much as this question.
    plain = _lie_between(texts, "0", "9")
    digits = texts if plain else pc.replace_substring_regex(folded_text(texts), r"[ .()/+-]+", "")
    if entity is Entity.PHONE and pc.any(pc.greater(pc.binary_length(digits), 10), min_count=0).as_py():
        digits = pc.replace_substring_regex(digits, _INDIAN_PREFIX, r"\1")
    return digits if plain else pc.if_else(pc.ascii_is_decimal(digits), digits, _words(texts, entity))


def _words(texts: pa.Array, entity: Entity) -> pa.Array:
    composed = composed_text(texts)
    if entity not in _LOWER_CASE:
        return composed
    return pc.ascii_lower(composed) if _lie_between(composed, "\0", "\x7f") else pc.utf8_lower(composed)


def _lie_between(texts: pa.Array, first: str, last: str) -> bool:
    """Whether each character of the texts is one of those of ASCII from the first to the last."""
    content, _ = text_buffers(texts)
    return not len(content) or bool(content.min() >= ord(first) and content.max() <= ord(last))


@cache
def _detectors() -> dict[Entity, PatternDetector]:
    from secure_ml.protection.classify.detectors import standard_detectors

    return {detector.entity: detector for detector in standard_detectors()}
