"""Numbers that an organisation gives to a person, and user names: found by the column's name."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.name_detector import NameDetector

_WHO = (
    "(?:customer|cust|client|patient|applicant|borrower|user|person|member|employee|emp|subject|citizen|student"
    "|individual|staff|subscriber|candidate|beneficiary|consumer|passenger|guest|resident|participant|respondent"
    "|insured|donor)"
)

DETECTOR = NameDetector(
    entity=Entity.SUBJECT_ID,
    category=Category.PII,
    identifiability=Identifiability.PSEUDONYM,
    pattern=r"[A-Z0-9][A-Z0-9_/.-]{0,63}",
    context=(
        rf"{_WHO} ?(?:id|no|num|number|key|code|ref|uuid)",
        "user ?name",
        "login",
        "cif(?: ?(?:no|num|number))?",
        "(?:roll|enroll?ment|payroll) ?(?:id|no|num|number)",
    ),
    not_context=("count", "date", "time", "type", "status", "flag", "segment", "ip"),
    needs_context=True,
)
