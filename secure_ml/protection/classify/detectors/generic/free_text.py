"""Free text: cells of several words, in which anything about anybody may stand."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

DETECTOR = PatternDetector(
    entity=Entity.FREE_TEXT,
    category=Category.PII,
    identifiability=Identifiability.QUASI,
    pattern=r"\S+(?:\s+\S+){4,}",
    kinds=frozenset({Kind.TEXT}),
    context=("remarks?", "notes?", "comments?", "narrative", "description", "memo", "free ?text", "observations?"),
    not_context=("product", "code", "count"),
    context_share=0.05,
    alone_share=0.2,
    # Below what an address or a diagnosis reaches: those say more about the same cells.
    ceiling_alone=0.7,
)
