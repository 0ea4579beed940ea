"""IFSC, the code of an Indian bank branch: four letters of the bank, a zero, six characters of the branch."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[A-Z]{4}0[A-Z0-9]{6}"

DETECTOR = PatternDetector(
    entity=Entity.IFSC,
    category=Category.FINANCIAL,
    identifiability=Identifiability.QUASI,
    pattern=_PATTERN,
    context=("ifsc", "ifsc ?code", "branch code"),
    alone_share=0.3,
    ceiling_alone=0.85,
    text=TextForm(pattern=_PATTERN, case_sensitive=True, score=0.8),
)
