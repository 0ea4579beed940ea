"""E-mail addresses (RFC 5321): a name, an at sign, a domain with its dot."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

# Lengths are bounded (RFC 5321: 64 and 255), so that a huge cell costs linear time.
_LOCAL = r"[^\s@,;:<>()\[\]\"]{1,64}"
_DOMAIN = r"[^\s@,;:<>()\[\]\"]{1,200}\.[^\s@,;:<>()\[\]\".0-9_]{2,24}"
_PATTERN = rf"{_LOCAL}@{_DOMAIN}"

DETECTOR = PatternDetector(
    entity=Entity.EMAIL,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    must_hold="@",
    kinds=frozenset({Kind.TEXT}),
    context=("e ?mail", "e ?mail ?(?:id|addr|address)", "mail"),
    not_context=("flag", "opt", "consent", "count"),
    traces=True,
    text=TextForm(pattern=_PATTERN, score=0.9),
)
