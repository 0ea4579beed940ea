"""Passport numbers of India, the United States, the United Kingdom and the European Union (ICAO Doc 9303).

None has a check digit outside the machine-readable zone, so only the column's name, or a word before, can tell.
"""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = (
    r"[A-Z][0-9] ?[0-9]{5,6}"  # India, Portugal
    r"|[A-Z]?[0-9]{8}|[0-9]{9}"  # United States, United Kingdom, Sweden
    r"|[A-Z]{2}[0-9]{6,7}|[A-Z]{3}[0-9]{6}"  # Italy, Belgium, Poland, Spain
    r"|[0-9]{2}[A-Z]{2}[0-9]{5}"  # France
    r"|[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}"  # Germany
    r"|[A-Z]{2}[A-Z0-9]{6}[0-9]"  # the Netherlands
)

DETECTOR = PatternDetector(
    entity=Entity.PASSPORT,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    context=("passport(?: ?(?:no|num|number|nr|id))?",),
    not_context=(
        "expir(?:y|es|ed|ation)", "issued?", "issuing", "date", "country", "type", "valid", "status", "photo", "office",
        "flag", "has", "count", "place",
    ),
    needs_context=True,
    text=TextForm(
        pattern=rf"(?=[A-Z]{{0,8}}[0-9])(?:{_PATTERN})", before=("passport", "passport no", "passport number")
    ),
)  # fmt: skip
