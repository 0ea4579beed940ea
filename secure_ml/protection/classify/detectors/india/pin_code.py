"""Postal codes: six digits in India (PIN), and those of a few other countries, under a name that says so."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_INDIA = r"[1-9][0-9]{2} ?[0-9]{3}"

DETECTOR = PatternDetector(
    entity=Entity.PIN_CODE,
    category=Category.PII,
    identifiability=Identifiability.QUASI,
    pattern=rf"{_INDIA}|[0-9]{{5}}(?:-[0-9]{{4}})?|[A-Z]{{1,2}}[0-9][A-Z0-9]? ?[0-9][A-Z]{{2}}",
    context=("pin", "pin ?code", "zip", "zip ?code", "post(?:al)? ?code", "postal", "plz"),
    needs_context=True,
    text=TextForm(pattern=_INDIA, score=0.0, before=("pin", "pincode", "pin code", "postal code")),
)
