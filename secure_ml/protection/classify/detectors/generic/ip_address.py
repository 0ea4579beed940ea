"""IP addresses, version 4 and 6."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-F]{0,4}(?::[0-9A-F]{0,4}){2,7}"


def is_address(value: str) -> bool:
    """Say whether the whole value is an address; `::` and the like are too little to say so."""
    import ipaddress

    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return len(value) > len("::1")


DETECTOR = PatternDetector(
    entity=Entity.IP_ADDRESS,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    kinds=frozenset({Kind.TEXT}),
    check=is_address,
    context=("ip", "ip ?v?[46]?", "ip ?(?:addr|address)", "(?:client|remote|source|login) ?ip"),
    alone_share=0.3,
    ceiling_alone=0.9,
    text=TextForm(pattern=_PATTERN),
)
