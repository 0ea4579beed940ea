"""One way to write each value, so that the same thing written twice is the same thing.

Belongs here: canonical forms and shapes by entity. Must stay out: what is made of them (token, partial_mask).
"""

from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.labels import Entity
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
        code = pc.utf8_upper(pc.replace_substring_regex(folded_text(texts), _SEPARATORS.get(entity, r"[ -]+"), ""))
        return pc.if_else(pc.equal(code, ""), texts, code)
    return _words(texts, entity)


def has_shape(texts: pa.Array, entity: Entity) -> pa.Array | None:
    """Whether each string has the entity's shape; None for an entity that has none, such as a name."""
    return _detectors()[entity].matches(folded_text(texts)) if entity in _SHAPED else None


def _digits(texts: pa.Array, entity: Entity) -> pa.Array:
    digits = folded_text(texts)
    # Most columns are plain digits, and expressions cost twenty times as much as these questions.
    if not pc.all(pc.ascii_is_decimal(digits), min_count=0).as_py():
        digits = pc.replace_substring_regex(digits, r"[ .()/+-]+", "")
    if entity is Entity.PHONE and pc.any(pc.greater(pc.binary_length(digits), 10), min_count=0).as_py():
        digits = pc.replace_substring_regex(digits, _INDIAN_PREFIX, r"\1")
    return pc.if_else(pc.ascii_is_decimal(digits), digits, _words(texts, entity))


def _words(texts: pa.Array, entity: Entity) -> pa.Array:
    composed = composed_text(texts)
    return pc.utf8_lower(composed) if entity in _LOWER_CASE else composed


@cache
def _detectors() -> dict[Entity, PatternDetector]:
    from secure_ml.protection.classify.detectors import standard_detectors

    return {detector.entity: detector for detector in standard_detectors()}
