"""Income: amounts or bands of money under a name that says income."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.pattern_detector import PatternDetector

_AMOUNT = (
    r"(?:(?:rs\.?|inr|usd|eur|[₹$€£]) ?)?-?[0-9][0-9,]{0,18}(?:\.[0-9]+)?(?:e\+?[0-9]+)?"
    r" ?(?:k|l|lakhs?|lpa|cr|crores?|m)?"
)

DETECTOR = PatternDetector(
    entity=Entity.INCOME,
    category=Category.FINANCIAL,
    identifiability=Identifiability.QUASI,
    pattern=rf"(?:[<>]=? ?)?(?:{_AMOUNT})(?: ?(?:-|to) ?(?:{_AMOUNT}))?\+?(?:/-)?",
    context=(
        "incomes?",
        "salar(?:y|ies)",
        "wages?",
        "earnings?",
        "ctc",
        "remuneration",
        "stipend",
        # Abbreviated, as in "totinc"; "zinc" is a laboratory value.
        "(?!zinc )[a-z]*inc",
    ),
    not_context=("zinc", "ratio", "verified", "date", "type", "source", "growth", "flag"),
    needs_context=True,
)
