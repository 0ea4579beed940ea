"""Places where people live or were born: words under a name that says city, town, district or birthplace."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

_OF_A_PERSON = "(?:birth|home|residence|residential|permanent|present|current|native)"

DETECTOR = PatternDetector(
    entity=Entity.PLACE,
    category=Category.PII,
    identifiability=Identifiability.QUASI,
    pattern=r"[^0-9@#$%*_=<>|\\^~]+",
    longest=80,
    kinds=frozenset({Kind.TEXT}),
    context=(
        "city",
        "(?:home ?)?town",
        "village",
        "district",
        "taluka?",
        "tehsil",
        "county",
        "municipality",
        "suburb",
        "birth ?place",
        f"{_OF_A_PERSON} ?(?:place|state|province|country|region|location)",
        "(?:place|state|country|city|district) of (?:birth|residence|domicile)",
    ),
    # Where a business is says nothing of its customers.
    not_context=(
        "branch", "store", "shop", "warehouse", "office", "hub", "depot", "plant", "company", "employer", "bank",
        "merchant", "vendor", "supplier", "airport", "origin", "destination", "ship", "shipping", "code", "id", "count",
        "tier", "type", "population", "score", "category", "manager", "status", "rank", "sales",
    ),
    needs_context=True,
    context_share=0.5,
)  # fmt: skip
