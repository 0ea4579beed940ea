"""MAC addresses: the 48-bit numbers of network interfaces (IEEE 802), in pairs or in Cisco's groups of four."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_GROUPED = r"[0-9A-F]{2}(?::[0-9A-F]{2}){5}|[0-9A-F]{2}(?:-[0-9A-F]{2}){5}|[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}"


def is_of_one_device(value: str) -> bool:
    """Say whether it is grouped, has a letter, and is one device's address.

    Six pairs of digits are as often a point in time, and twelve hexadecimal digits without groups the head of a hash.
    """
    from stdnum import mac

    digits = value.replace(":", "").replace("-", "").replace(".", "")
    if digits == value or digits.isdigit():
        return False
    pairs = ":".join(digits[start : start + 2] for start in range(0, 12, 2))
    return bool(mac.is_valid(pairs, validate_manufacturer=False)) and mac.is_unicast(pairs)


DETECTOR = PatternDetector(
    entity=Entity.MAC_ADDRESS,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=rf"{_GROUPED}|[0-9A-F]{{12}}",
    kinds=frozenset({Kind.TEXT}),
    check=is_of_one_device,
    context=(
        "mac",
        "mac ?(?:id|addr|address)",
        "(?:wifi|wi fi|wlan|ethernet|bluetooth|device) ?(?:mac|address)",
        "bssid",
    ),
    not_context=("model", "version", "os", "flag"),
    alone_share=0.3,
    ceiling_alone=0.9,
    text=TextForm(pattern=_GROUPED, score=0.4),
)
