"""Medical record numbers: a hospital's number of its patient, of any form, so only the column's name can tell."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

DETECTOR = PatternDetector(
    entity=Entity.MEDICAL_RECORD_NUMBER,
    category=Category.HEALTH,
    identifiability=Identifiability.DIRECT,
    pattern=r"[A-Z]{0,6}[ #/-]?[0-9]{3,14}(?:[/-][A-Z0-9]{1,8}){0,3}",
    longest=24,
    context=(
        "mrn(?: ?(?:no|num|number|id))?",
        "(?:medical|health|clinical) ?record(?: ?(?:no|num|number|id))",
        "patient ?mrn",
        "(?:uhid|mrd)(?: ?(?:no|num|number))?",
        "(?:hospital|chart|ipd|opd|in ?patient|out ?patient) ?(?:no|num|number)",
    ),
    not_context=("type", "count", "date", "status", "beds", "visits"),
    needs_context=True,
    text=TextForm(
        pattern=r"[A-Z]{0,6}[ #/-]?[0-9]{4,14}",
        before=("mrn", "medical record", "medical record number", "uhid", "hospital no", "chart number"),
    ),
)
