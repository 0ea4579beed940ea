"""Employers: names of organisations under a name that says so."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

DETECTOR = PatternDetector(
    entity=Entity.EMPLOYER,
    category=Category.PII,
    identifiability=Identifiability.QUASI,
    pattern=r"[^@#$%*_=<>|\\^~]*[^\s0-9@#$%*_=<>|\\^~.,-][^@#$%*_=<>|\\^~]*",
    longest=100,
    kinds=frozenset({Kind.TEXT}),
    context=(
        "employer",
        "employer ?name",
        "company",
        "organi[sz]ation",
        "org(?: ?name)?",
        "firm",
        "workplace",
        "office name",
    ),
    not_context=("type", "size", "id", "code", "industry", "sector", "phone", "address", "category"),
    needs_context=True,
)
